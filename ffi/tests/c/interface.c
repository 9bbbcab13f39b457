/* The whole interface at work: argument 1 is a folder for state and files. */
#include <mailward.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int faults = 0;

static void expect(int holds, const char *what, int line) {
  if (!holds) {
    printf("line %d: not so: %s\n", line, what);
    faults++;
  }
}
#define EXPECT(condition) expect((condition), #condition, __LINE__)

static mw_text_t text(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = strlen(words);
  return text;
}

/* Texts of the library do not end with NUL. */
static int holds(mw_text_t text, const char *words) {
  size_t len = strlen(words), at;
  for (at = 0; at + len <= text.len; at++) {
    if (memcmp(text.data + at, words, len) == 0) {
      return 1;
    }
  }
  return 0;
}
static int is(mw_text_t text, const char *words) { return text.len == strlen(words) && holds(text, words); }

static void must(mw_status_t status, mw_error_t *const *error, int line) {
  if (status != MW_OK) {
    mw_text_t message = mw_error_message(*error);
    printf("line %d: status %d: %.*s\n", line, (int)status, (int)message.len, message.data);
    exit(1);
  }
}
#define MUST(call) must((call), &error, __LINE__)

static mw_error_t *error = NULL;

static const char MESSAGE[] =
    "From: a@example.net\r\nTo: b@example.com\r\nSubject: hello\r\nX-Mark: forged\r\n\r\nhello\r\n";

/* Judges MESSAGE for two recipients. */
static mw_verdict_t *judge(mw_session_t *session, const char *first, const char *second) {
  mw_verdict_t *verdict = NULL;
  MUST(mw_session_helo(session, text("mx.example.net"), &error));
  MUST(mw_session_mail(session, text("a@example.net"), NULL, &verdict, &error));
  EXPECT(verdict == NULL);
  MUST(mw_session_rcpt(session, text(first), &verdict, &error));
  EXPECT(verdict == NULL);
  MUST(mw_session_rcpt(session, text(second), &verdict, &error));
  EXPECT(verdict == NULL);
  MUST(mw_session_message(session, text(MESSAGE), text("q1"), &verdict, &error));
  return verdict;
}

/* Each user wants something else. */
static const char CONFIG[] =
    "[[policy]]\nname = \"refuse\"\nto = [\"refuse@example.com\"]\nthen = \"reject\"\n"
    "[[policy]]\nname = \"hold\"\nto = [\"hold@example.com\"]\nthen = \"hold\"\n"
    "[[policy]]\nname = \"drop\"\nto = [\"drop@example.com\"]\nthen = \"discard\"\n"
    "[[policy]]\nname = \"mark\"\nto = [\"mark@example.com\"]\nthen = { tag = { header = { X-Mark = \"yes\" } } }\n"
    "[[policy]]\nname = \"warn\"\nto = [\"warn@example.com\"]\nthen = { tag = { banner = \"Careful.\" } }\n"
    "[[policy]]\nname = \"look\"\nto = [\"look@example.com\"]\nthen = { redirect = \"desk@example.com\" }\n"
    "[[policy]]\nname = \"copy\"\nto = [\"copy@example.com\"]\nthen = { copy = \"archive@example.com\" }\n";

static mw_verdict_t *judge_by(const char *config, const mw_connect_facts_t *client, uint32_t host, const char *first,
                              const char *second) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_verdict_t *verdict = NULL;
  options.host = host;
  MUST(mw_engine_open_text(text(config), &options, &engine, &error));
  MUST(mw_session_open(engine, client, &session, &error));
  verdict = judge(session, first, second);
  mw_session_free(session);
  mw_engine_free(engine);
  return verdict;
}

static mw_verdict_t *judge_with(uint32_t host, const char *first, const char *second) {
  return judge_by(CONFIG, NULL, host, first, second);
}

static void hosts_that_can_more_and_less(void) {
  mw_verdict_t *verdict = judge_with(0, "mark@example.com", "drop@example.com");
  EXPECT(mw_verdict_action(verdict) == MW_ACTION_ACCEPT && mw_verdict_not_applied_count(verdict) == 0);
  EXPECT(mw_verdict_recipient_count(verdict) == 2);
  EXPECT(is(mw_verdict_recipient_address(verdict, 0), "mark@example.com"));
  EXPECT(mw_verdict_recipient_disposition(verdict, 0) == MW_DISPOSITION_TAG);
  EXPECT(mw_verdict_recipient_disposition(verdict, 1) == MW_DISPOSITION_DISCARD);
  EXPECT(is(mw_verdict_recipient_because(verdict, 1), "policy \"drop\""));
  EXPECT(mw_verdict_recipient_code(verdict, 1) == 250);
  EXPECT(mw_verdict_recipient_disposition(verdict, 2) == 0 && mw_verdict_recipient_address(verdict, 2).len == 0);
  EXPECT(mw_verdict_finding_count(verdict) > 0 && mw_verdict_finding_id(verdict, 0).len > 0);
  EXPECT(holds(mw_verdict_explanation_text(verdict), "drop@example.com"));
  EXPECT(holds(mw_verdict_explanation(verdict), "\"schema\":1"));
  mw_verdict_free(verdict);

  verdict = judge_with(MW_HOST_HOLD, "mark@example.com", "drop@example.com");
  EXPECT(mw_verdict_edit_count(verdict) == 0);
  EXPECT(mw_verdict_recipient_disposition(verdict, 1) == MW_DISPOSITION_DELIVER);
  EXPECT(mw_verdict_recipient_wanted(verdict, 1) == MW_DISPOSITION_DISCARD);
  EXPECT(mw_verdict_not_applied_count(verdict) == 3);
  EXPECT(is(mw_verdict_not_applied(verdict, 0), "header x-mark: the host cannot edit headers"));
  EXPECT(is(mw_verdict_not_applied(verdict, 1), "header X-Mark: the host cannot edit headers"));
  EXPECT(is(mw_verdict_not_applied(verdict, 2), "discard for <drop@example.com>: the host cannot take off a recipient"));
  mw_verdict_free(verdict);

  verdict = judge_with(MW_HOST_EDIT_HEADER, "hold@example.com", "other@example.com");
  EXPECT(mw_verdict_action(verdict) == MW_ACTION_ACCEPT);
  EXPECT(mw_verdict_recipient_disposition(verdict, 0) == MW_DISPOSITION_DELIVER);
  EXPECT(is(mw_verdict_not_applied(verdict, 0), "hold for <hold@example.com>: the host cannot hold a message"));
  mw_verdict_free(verdict);

  verdict = judge_with(MW_HOST_REPLY_BY_RECIPIENT | MW_HOST_EDIT_HEADER, "refuse@example.com", "other@example.com");
  EXPECT(mw_verdict_action(verdict) == MW_ACTION_ACCEPT && mw_verdict_code(verdict) == 250);
  EXPECT(mw_verdict_recipient_disposition(verdict, 0) == MW_DISPOSITION_REJECT);
  EXPECT(mw_verdict_recipient_code(verdict, 0) == 550 && mw_verdict_recipient_code(verdict, 1) == 250);
  EXPECT(mw_verdict_recipient_enhanced(verdict, 0).len > 0 && mw_verdict_recipient_text(verdict, 0).len > 0);
  EXPECT(mw_verdict_recipient_text(verdict, 1).len == 0);
  mw_verdict_free(verdict);
}

/* The edit of this kind; their number if there is none. */
static size_t find_edit(const mw_verdict_t *verdict, int32_t kind) {
  size_t index = 0;
  while (index < mw_verdict_edit_count(verdict) && mw_verdict_edit_kind(verdict, index) != kind) {
    index++;
  }
  return index;
}

static void bodies_are_replaced_where_the_host_can(void) {
  mw_verdict_t *verdict = judge_with(MW_HOST_EDIT_HEADER | MW_HOST_REPLACE_BODY, "warn@example.com", "warn@example.com");
  size_t index = find_edit(verdict, MW_EDIT_REPLACE_BODY);
  EXPECT(index < mw_verdict_edit_count(verdict));
  EXPECT(is(mw_verdict_edit_name(verdict, index), "banner"));
  EXPECT(holds(mw_verdict_edit_value(verdict, index), "Careful.\r\n\r\n"));
  EXPECT(find_edit(verdict, MW_EDIT_ADD_HEADER) < mw_verdict_edit_count(verdict));
  EXPECT(!holds(mw_verdict_explanation(verdict), "\"body\""));
  mw_verdict_free(verdict);

  verdict = judge_with(MW_HOST_REPLACE_BODY, "warn@example.com", "warn@example.com");
  EXPECT(mw_verdict_edit_count(verdict) == 0 && mw_verdict_not_applied_count(verdict) > 0);
  mw_verdict_free(verdict);

  verdict = judge_with(0, "warn@example.com", "warn@example.com");
  EXPECT(find_edit(verdict, MW_EDIT_REPLACE_BODY) == mw_verdict_edit_count(verdict));
  EXPECT(mw_verdict_not_applied_count(verdict) == 1);
  EXPECT(is(mw_verdict_not_applied(verdict, 0), "banner: the host cannot replace a body"));
  mw_verdict_free(verdict);
}

static void recipients_are_added_where_the_host_can(void) {
  const uint32_t host = MW_HOST_REMOVE_RECIPIENT | MW_HOST_ADD_RECIPIENT;
  mw_verdict_t *verdict = judge_with(host, "look@example.com", "copy@example.com");
  size_t index = find_edit(verdict, MW_EDIT_ADD_RECIPIENT);
  EXPECT(mw_verdict_recipient_disposition(verdict, 0) == MW_DISPOSITION_REDIRECT);
  EXPECT(mw_verdict_recipient_disposition(verdict, 1) == MW_DISPOSITION_DELIVER);
  EXPECT(mw_verdict_edit_count(verdict) == index + 2 && find_edit(verdict, MW_EDIT_REMOVE_RECIPIENT) < index);
  EXPECT(is(mw_verdict_edit_name(verdict, index), "redirect"));
  EXPECT(is(mw_verdict_edit_value(verdict, index), "<desk@example.com>"));
  EXPECT(is(mw_verdict_edit_name(verdict, index + 1), "copy"));
  EXPECT(is(mw_verdict_edit_value(verdict, index + 1), "<archive@example.com>"));
  mw_verdict_free(verdict);

  verdict = judge_with(0, "look@example.com", "copy@example.com"); /* a host that does not know of them */
  EXPECT(find_edit(verdict, MW_EDIT_ADD_RECIPIENT) == mw_verdict_edit_count(verdict));
  EXPECT(mw_verdict_recipient_disposition(verdict, 0) == MW_DISPOSITION_DELIVER);
  EXPECT(mw_verdict_not_applied_count(verdict) == 2);
  mw_verdict_free(verdict);
}

static void senders_are_changed_where_the_host_can(const char *folder) {
  char config[1024], key[512];
  FILE *out;
  mw_connect_facts_t program = MW_CONNECT_FACTS_INIT;
  mw_verdict_t *verdict;
  size_t index;
  snprintf(key, sizeof key, "%s/batv.key", folder);
  out = fopen(key, "w");
  if (out == NULL || fputs("0123456789abcdef\n", out) < 0 || fclose(out) != 0) {
    exit(1);
  }
  snprintf(config, sizeof config,
           "[batv]\nsign = true\nmode = \"observe\"\ndomains = [\"example.net\"]\nkeys = [\"%s\"]\n", key);
  program.local_submission = 1;
  verdict = judge_by(config, &program, MW_HOST_CHANGE_SENDER, "b@example.com", "c@example.com");
  index = find_edit(verdict, MW_EDIT_CHANGE_SENDER);
  EXPECT(mw_verdict_edit_count(verdict) == index + 1 && mw_verdict_edit_name(verdict, index).len == 0);
  EXPECT(holds(mw_verdict_edit_value(verdict, index), "<prvs=0"));
  EXPECT(holds(mw_verdict_edit_value(verdict, index), "=a@example.net>"));
  mw_verdict_free(verdict);

  verdict = judge_by(config, &program, 0, "b@example.com", "c@example.com"); /* a host that does not know of it */
  EXPECT(find_edit(verdict, MW_EDIT_CHANGE_SENDER) == mw_verdict_edit_count(verdict));
  EXPECT(mw_verdict_not_applied_count(verdict) == 1);
  EXPECT(is(mw_verdict_not_applied(verdict, 0), "BATV tag: the host cannot change the sender"));
  mw_verdict_free(verdict);
}

static void configurations_come_and_go(const char *folder) {
  char file[512];
  FILE *out;
  mw_engine_t *engine = NULL;
  mw_session_t *before = NULL, *after = NULL;
  mw_verdict_t *verdict;
  EXPECT(mw_engine_open_text(text("[[policy]]\nname = 5\n"), NULL, &engine, &error) == MW_E_CONFIG && engine == NULL);
  EXPECT(holds(mw_error_message(error), "configuration:2:8: "));
  mw_error_free(error);
  error = NULL;

  snprintf(file, sizeof file, "%s/mailward.toml", folder);
  out = fopen(file, "w");
  if (out == NULL || fclose(out) != 0) {
    exit(1);
  }
  MUST(mw_engine_open(file, NULL, &engine, &error));
  MUST(mw_session_open(engine, NULL, &before, &error));
  out = fopen(file, "w");
  if (out == NULL || fputs(CONFIG, out) < 0 || fclose(out) != 0) {
    exit(1);
  }
  MUST(mw_engine_reload(engine, &error));
  MUST(mw_session_open(engine, NULL, &after, &error));
  verdict = judge(before, "refuse@example.com", "refuse@example.com");
  EXPECT(mw_verdict_action(verdict) == MW_ACTION_ACCEPT); /* a session keeps what it began with */
  mw_verdict_free(verdict);
  verdict = judge(after, "refuse@example.com", "refuse@example.com");
  EXPECT(mw_verdict_action(verdict) == MW_ACTION_REPLY && mw_verdict_code(verdict) == 550);
  mw_verdict_free(verdict);
  mw_session_free(before);
  mw_session_free(after);

  EXPECT(mw_engine_reload_text(engine, text("no = 1\n"), NULL) == MW_E_CONFIG);
  MUST(mw_session_open(engine, NULL, &after, &error));
  verdict = judge(after, "refuse@example.com", "refuse@example.com");
  EXPECT(mw_verdict_code(verdict) == 550); /* what was in force stays so */
  mw_verdict_free(verdict);
  mw_session_free(after);
  MUST(mw_engine_reload_text(engine, text(""), &error));
  MUST(mw_session_open(engine, NULL, &after, &error));
  verdict = judge(after, "refuse@example.com", "refuse@example.com");
  EXPECT(mw_verdict_code(verdict) == 250);
  mw_verdict_free(verdict);
  mw_session_free(after);
  mw_engine_free(engine);
}

static int lines = 0;

static void on_log(void *user, int32_t level, mw_text_t line) {
  EXPECT(user == &lines && level >= MW_LOG_ERROR && level <= MW_LOG_INFO && line.len > 0);
  lines++;
}

static void it_learns_and_says_so(const char *folder) {
  char state[512];
  int32_t outcome = 0;
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_engine_t *engine = NULL;
  snprintf(state, sizeof state, "%s/learning", folder);
  options.state_dir = state;
  MUST(mw_log_set(on_log, &lines, MW_LOG_INFO, &error));
  MUST(mw_engine_open(NULL, &options, &engine, &error));
  MUST(mw_engine_learn(engine, MW_CLASS_SPAM, text(MESSAGE), &outcome, &error));
  EXPECT(outcome == MW_LEARNT_NEW);
  EXPECT(lines > 0); /* "classifier: model read" */
  MUST(mw_log_set(NULL, NULL, 0, &error));
  MUST(mw_engine_learn(engine, MW_CLASS_SPAM, text(MESSAGE), &outcome, &error));
  EXPECT(outcome == MW_LEARNT_KNOWN);
  MUST(mw_engine_learn(engine, MW_CLASS_HAM, text(MESSAGE), &outcome, &error));
  EXPECT(outcome == MW_LEARNT_CORRECTED);
  MUST(mw_engine_learn(engine, MW_CLASS_HAM, text(MESSAGE), NULL, &error));
  mw_engine_free(engine);
}

struct comparison {
  mw_text_t expected;
  int verdicts;
};

static void same_explanation(void *user, const mw_verdict_t *verdict) {
  struct comparison *comparison = user;
  mw_text_t got = mw_verdict_explanation(verdict);
  comparison->verdicts++;
  EXPECT(got.len == comparison->expected.len && memcmp(got.data, comparison->expected.data, got.len) == 0);
}

static void sessions_are_recorded_and_replayed(const char *folder) {
  char file[512];
  struct comparison comparison = {{NULL, 0}, 0};
  mw_verdict_t *verdict = NULL;
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  options.record = 1;
  options.host = MW_HOST_EDIT_HEADER;
  snprintf(file, sizeof file, "%s/c.session", folder);
  MUST(mw_engine_open_text(text(CONFIG), &options, &engine, &error));
  MUST(mw_session_open(engine, NULL, &session, &error));
  verdict = judge(session, "hold@example.com", "mark@example.com");
  MUST(mw_session_save_recording(session, file, &error));
  EXPECT(mw_session_save_recording(session, "/proc/no/such/place", NULL) == MW_E_SYSTEM);
  comparison.expected = mw_verdict_explanation(verdict);
  MUST(mw_engine_replay(engine, file, same_explanation, &comparison, &error));
  EXPECT(comparison.verdicts == 1);
  mw_verdict_free(verdict);
  mw_session_free(session);
  mw_engine_free(engine);
}

static int questions = 0;

/* Knows the SPF record of example.net: v=spf1 -all. All else does not exist. */
static int32_t query(void *user, const char *name, uint16_t type, uint8_t *answer, size_t size, uint32_t timeout_ms) {
  static const uint8_t record[] = "\xc0\x0c\0\x10\0\1\0\0\0\x3c\0\x0c\x0bv=spf1 -all";
  size_t len = 12, label = 0, at;
  int knows = type == 16 && strcmp(name, "example.net") == 0;
  EXPECT(user == &questions && timeout_ms > 0 && size >= 512);
  if (strlen(name) + sizeof record + 18 > size) {
    return -1;
  }
  __atomic_add_fetch(&questions, 1, __ATOMIC_RELAXED);
  memset(answer, 0, 12);
  answer[2] = 0x81;
  answer[3] = (uint8_t)(0x80 | (knows ? 0 : 3));
  answer[5] = 1;
  answer[7] = (uint8_t)knows;
  for (at = 0;; at++) { /* the name, label by label */
    if (name[at] == '.' || name[at] == 0) {
      answer[len++] = (uint8_t)(at - label);
      memcpy(answer + len, name + label, at - label);
      len += at - label;
      label = at + 1;
      if (name[at] == 0) {
        break;
      }
    }
  }
  answer[len++] = 0;
  answer[len++] = 0;
  answer[len++] = (uint8_t)type;
  answer[len++] = 0;
  answer[len++] = 1;
  if (knows) {
    memcpy(answer + len, record, sizeof record - 1);
    len += sizeof record - 1;
  }
  return (int32_t)len;
}

static void the_host_answers_dns(void) {
  mw_resolver_t resolver = MW_RESOLVER_INIT;
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_verdict_t *verdict;
  options.resolver = &resolver;
  EXPECT(mw_engine_open(NULL, &options, &engine, NULL) == MW_E_ARGUMENT);
  resolver.query = query;
  resolver.user = &questions;
  MUST(mw_engine_open(NULL, &options, &engine, &error));
  facts.client_address = text("192.0.2.7");
  MUST(mw_session_open(engine, &facts, &session, &error));
  mw_engine_free(engine);
  verdict = judge(session, "b@example.com", "c@example.com");
  EXPECT(__atomic_load_n(&questions, __ATOMIC_RELAXED) > 1);
  EXPECT(holds(mw_verdict_explanation(verdict), "\"spf.fail\""));
  mw_verdict_free(verdict);
  mw_session_free(session);
}

int main(int argc, char **argv) {
  if (argc != 2) {
    return 2;
  }
  EXPECT(mw_abi_version() == MW_ABI_VERSION && strcmp(mw_version(), MW_VERSION) == 0);
  hosts_that_can_more_and_less();
  bodies_are_replaced_where_the_host_can();
  recipients_are_added_where_the_host_can();
  senders_are_changed_where_the_host_can(argv[1]);
  configurations_come_and_go(argv[1]);
  it_learns_and_says_so(argv[1]);
  sessions_are_recorded_and_replayed(argv[1]);
  the_host_answers_dns();
  return faults != 0;
}
