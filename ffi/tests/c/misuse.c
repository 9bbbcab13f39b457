/* Wrong calls, each with its error: none crashes, and none changes what a right call does afterwards. Argument 1 is a folder for
 * state and files. */
#include <mailward.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int faults = 0, calls = 0;
static mw_error_t *error = NULL;

static mw_text_t text(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = strlen(words);
  return text;
}

/* The call fails with this status, and its error holds these words. */
static void wrong(mw_status_t got, mw_status_t expected, const char *words, int line) {
  char message[1024] = "";
  calls++;
  if (error != NULL) {
    mw_text_t view = mw_error_message(error);
    size_t len = view.len < sizeof message - 1 ? view.len : sizeof message - 1;
    memcpy(message, view.data, len);
    message[len] = 0;
  }
  if (got != expected || error == NULL || strstr(message, words) == NULL) {
    printf("line %d: status %d, \"%s\"; expected %d with \"%s\"\n", line, (int)got, message, (int)expected, words);
    faults++;
  }
  mw_error_free(error);
  error = NULL;
}
#define WRONG(call, status, words) wrong((call), (status), (words), __LINE__)

static void right(mw_status_t got, int line) {
  if (got != MW_OK || error != NULL) {
    printf("line %d: status %d\n", line, (int)got);
    exit(1);
  }
}
#define RIGHT(call) right((call), __LINE__)

static mw_engine_t *engine = NULL;
static mw_session_t *session = NULL;
static mw_verdict_t *verdict = NULL;
static const mw_text_t none = {NULL, 0}, no_bytes = {NULL, 5}, endless = {"x", (size_t)-1};

static void on_verdict(void *user, const mw_verdict_t *replayed) {
  (void)user;
  (void)replayed;
}

static void engines(const char *folder) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_resolver_t resolver = MW_RESOLVER_INIT;
  struct {
    mw_engine_options_t known;
    char more[16];
  } newer;
  char file[512];
  FILE *out;
  WRONG(mw_engine_open(NULL, NULL, NULL, &error), MW_E_ARGUMENT, "out is NULL");
  WRONG(mw_engine_open("/nonexistent.toml", NULL, &engine, &error), MW_E_CONFIG, "/nonexistent.toml:1:1: cannot read");
  WRONG(mw_engine_open(folder, NULL, &engine, &error), MW_E_CONFIG, "cannot read");
  snprintf(file, sizeof file, "%s/bytes.toml", folder);
  out = fopen(file, "w");
  if (out == NULL || fputs("name = \"\xff\"\n", out) < 0 || fclose(out) != 0) {
    exit(1);
  }
  WRONG(mw_engine_open(file, NULL, &engine, &error), MW_E_CONFIG, "UTF-8");
  WRONG(mw_engine_open_text(none, NULL, NULL, &error), MW_E_ARGUMENT, "out is NULL");
  WRONG(mw_engine_open_text(no_bytes, NULL, &engine, &error), MW_E_ARGUMENT, "config: data is NULL");
  WRONG(mw_engine_open_text(endless, NULL, &engine, &error), MW_E_ARGUMENT, "len is too large");
  WRONG(mw_engine_open_text(text("x = \"\xff\""), NULL, &engine, &error), MW_E_CONFIG, "configuration: invalid utf-8");
  WRONG(mw_engine_open_text(text("[dns]\ntimeout = 5\n"), NULL, &engine, &error), MW_E_CONFIG, "configuration:2:");
  WRONG(mw_engine_open_text(text("[malware]\nrules = [\"/no/such\"]\n"), NULL, &engine, &error), MW_E_CONFIG, "");

  options.struct_size = 0;
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_ARGUMENT, "struct_size is 0; begin with the _INIT macro");
  options.struct_size = (size_t)1 << 40;
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_ARGUMENT, "struct_size");
  memset(&newer, 0, sizeof newer);
  newer.more[15] = 1;
  newer.known.struct_size = sizeof newer;
  WRONG(mw_engine_open(NULL, &newer.known, &engine, &error), MW_E_ARGUMENT, "a member is set that this version");
  options.struct_size = sizeof options;
  options.host = 1u << 20;
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_ARGUMENT, "host is 1048576");
  options.host = 0;
  options.state_dir = "/proc/no/such/place";
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_SYSTEM, "/proc/no/such/place");
  options.dns_zone = "/nonexistent.zone";
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_ARGUMENT, "leave out state_dir");
  options.state_dir = NULL;
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_CONFIG, "/nonexistent.zone");
  options.resolver = &resolver;
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_ARGUMENT, "resolver.query is NULL");
  options.dns_zone = NULL;
  resolver.struct_size = 3;
  WRONG(mw_engine_open(NULL, &options, &engine, &error), MW_E_ARGUMENT, "resolver: struct_size is 3");

  WRONG(mw_engine_reload(NULL, &error), MW_E_ARGUMENT, "engine is NULL");
  WRONG(mw_engine_reload_text(NULL, none, &error), MW_E_ARGUMENT, "engine is NULL");
  WRONG(mw_engine_learn(NULL, MW_CLASS_HAM, none, NULL, &error), MW_E_ARGUMENT, "engine is NULL");
  RIGHT(mw_engine_open(NULL, NULL, &engine, &error));
  WRONG(mw_engine_reload(engine, &error), MW_E_ORDER, "mw_engine_reload_text()");
  WRONG(mw_engine_reload_text(engine, no_bytes, &error), MW_E_ARGUMENT, "config: data is NULL");
  WRONG(mw_engine_reload_text(engine, text("x = 1"), &error), MW_E_CONFIG, "configuration:1:1: ");
  WRONG(mw_engine_learn(engine, MW_CLASS_HAM, text("A: b\n\nc"), NULL, &error), MW_E_ARGUMENT, "state_dir");
  WRONG(mw_engine_learn(engine, 7, none, NULL, &error), MW_E_ARGUMENT, "class is 7");
  WRONG(mw_engine_replay(NULL, file, on_verdict, NULL, &error), MW_E_ARGUMENT, "engine is NULL");
  WRONG(mw_engine_replay(engine, NULL, on_verdict, NULL, &error), MW_E_ARGUMENT, "file is NULL");
  WRONG(mw_engine_replay(engine, file, NULL, NULL, &error), MW_E_ARGUMENT, "on_verdict is NULL");
  WRONG(mw_engine_replay(engine, "/nonexistent.session", on_verdict, NULL, &error), MW_E_SYSTEM, "/nonexistent.session");
  WRONG(mw_engine_replay(engine, file, on_verdict, NULL, &error), MW_E_SYSTEM, "bytes.toml");
  WRONG(mw_log_set(NULL, NULL, 9, &error), MW_E_ARGUMENT, "level is 9");
}

static void sessions(void) {
  mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
  mw_mail_facts_t mail = MW_MAIL_FACTS_INIT;
  WRONG(mw_session_open(NULL, NULL, &session, &error), MW_E_ARGUMENT, "engine is NULL");
  WRONG(mw_session_open(engine, NULL, NULL, &error), MW_E_ARGUMENT, "out is NULL");
  facts.client_address = text("192.0.2.300");
  WRONG(mw_session_open(engine, &facts, &session, &error), MW_E_ARGUMENT, "\"192.0.2.300\" is no IP address");
  facts.client_address = no_bytes;
  WRONG(mw_session_open(engine, &facts, &session, &error), MW_E_ARGUMENT, "client_address: data is NULL");
  facts.struct_size = 2;
  WRONG(mw_session_open(engine, &facts, &session, &error), MW_E_ARGUMENT, "facts: struct_size is 2");
  RIGHT(mw_session_open(engine, NULL, &session, &error));

  WRONG(mw_session_helo(NULL, none, &error), MW_E_ARGUMENT, "session is NULL");
  WRONG(mw_session_helo(session, no_bytes, &error), MW_E_ARGUMENT, "name: data is NULL");
  WRONG(mw_session_rcpt(session, text("b@example.com"), &verdict, &error), MW_E_ORDER, "a recipient follows a sender");
  WRONG(mw_session_write(session, text("x"), &error), MW_E_ORDER, "a message follows");
  WRONG(mw_session_end_of_message(session, none, &verdict, &error), MW_E_ORDER, "a message follows");
  WRONG(mw_session_message(session, text("A: b\r\n\r\n"), none, &verdict, &error), MW_E_ORDER, "a message follows");
  WRONG(mw_session_mail(NULL, none, NULL, &verdict, &error), MW_E_ARGUMENT, "session is NULL");
  WRONG(mw_session_mail(session, text("<>"), NULL, NULL, &error), MW_E_ARGUMENT, "refusal is NULL");
  WRONG(mw_session_mail(session, no_bytes, NULL, &verdict, &error), MW_E_ARGUMENT, "sender: data is NULL");
  mail.login = no_bytes;
  WRONG(mw_session_mail(session, text("<>"), &mail, &verdict, &error), MW_E_ARGUMENT, "login: data is NULL");
  mail.struct_size = 0;
  WRONG(mw_session_mail(session, text("<>"), &mail, &verdict, &error), MW_E_ARGUMENT, "facts: struct_size is 0");
  RIGHT(mw_session_mail(session, text("a@example.net"), NULL, &verdict, &error));
  WRONG(mw_session_mail(session, text("<>"), NULL, &verdict, &error), MW_E_ORDER, "a transaction is open");
  WRONG(mw_session_write(session, text("x"), &error), MW_E_ORDER, "at least one recipient");
  WRONG(mw_session_end_of_message(session, none, &verdict, &error), MW_E_ORDER, "at least one recipient");
  WRONG(mw_session_rcpt(NULL, none, &verdict, &error), MW_E_ARGUMENT, "session is NULL");
  WRONG(mw_session_rcpt(session, text("b@example.com"), NULL, &error), MW_E_ARGUMENT, "refusal is NULL");
  WRONG(mw_session_rcpt(session, endless, &verdict, &error), MW_E_ARGUMENT, "recipient: data is NULL, or len");
  RIGHT(mw_session_rcpt(session, text("b@example.com"), &verdict, &error));
  WRONG(mw_session_write(NULL, none, &error), MW_E_ARGUMENT, "session is NULL");
  WRONG(mw_session_write(session, no_bytes, &error), MW_E_ARGUMENT, "piece: data is NULL");
  RIGHT(mw_session_write(session, text("Subject: x\r\n\r\nhello\r\n"), &error));
  WRONG(mw_session_rcpt(session, text("c@example.com"), &verdict, &error), MW_E_ORDER, "comes before the message");
  WRONG(mw_session_mail(session, text("<>"), NULL, &verdict, &error), MW_E_ORDER, "a transaction is open");
  WRONG(mw_session_end_of_message(NULL, none, &verdict, &error), MW_E_ARGUMENT, "session is NULL");
  WRONG(mw_session_end_of_message(session, none, NULL, &error), MW_E_ARGUMENT, "out is NULL");
  WRONG(mw_session_end_of_message(session, no_bytes, &verdict, &error), MW_E_ARGUMENT, "queue_id: data is NULL");
  WRONG(mw_session_message(session, none, none, NULL, &error), MW_E_ARGUMENT, "out is NULL");
  WRONG(mw_session_save_recording(session, "/tmp/x", &error), MW_E_ORDER, "open the engine with record");
  WRONG(mw_session_save_recording(session, NULL, &error), MW_E_ARGUMENT, "file is NULL");
  WRONG(mw_session_reset(NULL, NULL, &error), MW_E_ARGUMENT, "session is NULL");

  /* After all that the transaction goes on as if nothing had been. */
  RIGHT(mw_session_end_of_message(session, text("q"), &verdict, &error));
  if (mw_verdict_action(verdict) != MW_ACTION_ACCEPT || mw_verdict_recipient_count(verdict) != 1) {
    printf("the message was not judged as it should be\n");
    faults++;
  }
  mw_verdict_free(verdict);
  verdict = NULL;
}

/* What a client sends is never a wrong call, whatever it is. */
static void hostile_bytes(void) {
  size_t len = (size_t)1 << 20;
  char *large = malloc(len);
  mw_text_t view;
  if (large == NULL) {
    exit(1);
  }
  memset(large, 0xfe, len);
  view.data = large;
  view.len = len;
  RIGHT(mw_session_helo(session, view, &error));
  RIGHT(mw_session_mail(session, view, NULL, &verdict, &error));
  if (mw_verdict_code(verdict) != 501) {
    printf("a megabyte of sender is refused with %d\n", (int)mw_verdict_code(verdict));
    faults++;
  }
  mw_verdict_free(verdict);
  verdict = NULL;
  RIGHT(mw_session_mail(session, text("<a\xff@example.net>"), NULL, &verdict, &error));
  mw_verdict_free(verdict);
  RIGHT(mw_session_reset(session, NULL, &error));
  RIGHT(mw_session_mail(session, text("<>"), NULL, &verdict, &error));
  RIGHT(mw_session_rcpt(session, view, &verdict, &error));
  mw_verdict_free(verdict);
  RIGHT(mw_session_rcpt(session, text("b@example.com"), &verdict, &error));
  RIGHT(mw_session_write(session, view, &error));
  RIGHT(mw_session_end_of_message(session, view, &verdict, &error));
  mw_verdict_free(verdict);
  free(large);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    return 2;
  }
  engines(argv[1]);
  sessions();
  hostile_bytes();
  mw_session_free(session);
  mw_engine_free(engine);
  printf("%d wrong calls\n", calls);
  return faults != 0 || calls < 40;
}
