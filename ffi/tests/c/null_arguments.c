/* Every function gets NULL wherever it takes a pointer: none crashes, each says so. */
#include <mailward.h>
#include <stdio.h>
#include <string.h>

static int faults = 0;

static void expect(int holds, const char *what) {
  if (!holds) {
    printf("not so: %s\n", what);
    faults++;
  }
}
#define EXPECT(condition) expect((condition), #condition)

int main(void) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_verdict_t *verdict = NULL;
  mw_error_t *error = NULL;
  mw_text_t none = {NULL, 0}, wrong = {NULL, 5}, address = {"not an address", 14};

  EXPECT(mw_engine_open(NULL, NULL, NULL, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_engine_open("/nonexistent.toml", NULL, &engine, &error) == MW_E_CONFIG && engine == NULL);
  EXPECT(error != NULL && strstr(mw_error_message(error).data, "/nonexistent.toml") != NULL);
  mw_error_free(error);
  error = NULL;
  options.struct_size = 1;
  EXPECT(mw_engine_open(NULL, &options, &engine, NULL) == MW_E_ARGUMENT);
  options.struct_size = sizeof options;
  options.state_dir = "/proc/no/such/place";
  EXPECT(mw_engine_open(NULL, &options, &engine, NULL) == MW_E_SYSTEM && engine == NULL);

  EXPECT(mw_session_open(NULL, NULL, &session, &error) == MW_E_ARGUMENT && session == NULL && error != NULL);
  mw_error_free(error);
  error = NULL;
  EXPECT(mw_session_helo(NULL, none, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_mail(NULL, none, NULL, &verdict, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_rcpt(NULL, none, &verdict, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_write(NULL, none, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_end_of_message(NULL, none, &verdict, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_reset(NULL, &verdict, NULL) == MW_E_ARGUMENT && verdict == NULL);

  EXPECT(mw_engine_open(NULL, NULL, &engine, NULL) == MW_OK && engine != NULL);
  EXPECT(mw_session_open(engine, NULL, NULL, NULL) == MW_E_ARGUMENT);
  facts.client_address = address;
  EXPECT(mw_session_open(engine, &facts, &session, NULL) == MW_E_ARGUMENT && session == NULL);
  EXPECT(mw_session_open(engine, NULL, &session, &error) == MW_OK && session != NULL && error == NULL);
  mw_engine_free(engine); /* the session keeps what it needs */
  EXPECT(mw_session_helo(session, wrong, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_mail(session, none, NULL, NULL, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_mail(session, wrong, NULL, &verdict, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_rcpt(session, none, NULL, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_write(session, wrong, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_end_of_message(session, none, NULL, NULL) == MW_E_ARGUMENT);
  EXPECT(mw_session_reset(session, NULL, NULL) == MW_OK);
  mw_session_free(session);

  EXPECT(mw_verdict_action(NULL) == MW_ACTION_REPLY && mw_verdict_code(NULL) == 451);
  EXPECT(mw_verdict_enhanced(NULL).len == 0 && mw_verdict_text(NULL).len == 0);
  EXPECT(mw_verdict_reference(NULL).len == 0 && mw_verdict_explanation(NULL).len == 0);
  EXPECT(mw_verdict_delay_ms(NULL) == 0 && mw_verdict_edit_count(NULL) == 0);
  EXPECT(mw_verdict_edit_kind(NULL, 0) == 0 && mw_verdict_edit_occurrence(NULL, 0) == 0);
  EXPECT(mw_verdict_edit_name(NULL, 0).len == 0 && mw_verdict_edit_value(NULL, 0).len == 0);
  EXPECT(mw_error_message(NULL).len == 0 && mw_error_message(NULL).data != NULL);
  mw_verdict_free(NULL);
  mw_error_free(NULL);
  mw_session_free(NULL);
  mw_engine_free(NULL);
  return faults != 0;
}
