/* Judges recorded sessions again: replay CONFIG FILE... One line for each decision: the file, a tab, the explanation. */
#include <mailward.h>
#include <stdio.h>

static void print(void *user, const mw_verdict_t *verdict) {
  mw_text_t explanation = mw_verdict_explanation(verdict);
  printf("%s\t%.*s\n", (const char *)user, (int)explanation.len, explanation.data);
}

int main(int argc, char **argv) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_engine_t *engine = NULL;
  mw_error_t *error = NULL;
  int at;
  mw_status_t status;
  if (argc < 2) {
    return 2;
  }
  status = mw_engine_open(argv[1], &options, &engine, &error);
  for (at = 2; status == MW_OK && at < argc; at++) {
    status = mw_engine_replay(engine, argv[at], print, argv[at], &error);
  }
  if (status != MW_OK) {
    fprintf(stderr, "%s\n", mw_error_message(error).data);
  }
  mw_error_free(error);
  mw_engine_free(engine);
  return status == MW_OK ? 0 : 1;
}
