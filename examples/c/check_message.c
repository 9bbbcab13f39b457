/* Judges one message from a file or standard input, and prints the verdict with its explanation.
 *
 *   cc -I ffi/include examples/c/check_message.c -L target/first-look -lmailward -o check_message
 *   LD_LIBRARY_PATH=target/first-look ./check_message [-c CONFIG] [-d ZONE] [-i ADDRESS] [-f SENDER] [-t RECIPIENT] [FILE]
 *
 * Exit status: 0 accepted, 1 discarded, refused or deferred, 2 a fault. */
#include <mailward.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mw_text_t text(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = words ? strlen(words) : 0;
  return text;
}

static void print(const char *label, mw_text_t value) {
  printf("%s: ", label);
  fwrite(value.data, 1, value.len, stdout);
  putchar('\n');
}

/* Ends the program unless the call went well. It takes the address of the error, because C may look at one argument
 * before it makes the call that is another. */
static void must(mw_status_t status, mw_error_t *const *error) {
  if (status != MW_OK) {
    mw_text_t message = mw_error_message(*error);
    fprintf(stderr, "check_message: %.*s (status %d)\n", (int)message.len, message.data, (int)status);
    exit(2);
  }
}

/* Hands the message over as it is read. Files hold LF, the library wants CRLF as on the wire. */
static void send_message(mw_session_t *session, FILE *file) {
  char piece[8192];
  size_t len = 0;
  int byte, previous = 0;
  mw_error_t *error = NULL;
  mw_text_t view;
  view.data = piece;
  while ((byte = getc(file)) != EOF) {
    if (byte == '\n' && previous != '\r') {
      piece[len++] = '\r';
    }
    piece[len++] = (char)byte;
    previous = byte;
    if (len + 2 > sizeof piece) {
      view.len = len;
      must(mw_session_write(session, view, &error), &error);
      len = 0;
    }
  }
  view.len = len;
  must(mw_session_write(session, view, &error), &error);
}

static int print_verdict(const mw_verdict_t *verdict) {
  static const char *const actions[] = {"accept", "discard", "reply"};
  static const char *const kinds[] = {"", "add header", "change header", "remove header", "remove recipient", "hold",
                                      "replace body"};
  int32_t action = mw_verdict_action(verdict);
  size_t index;
  print("verdict", text(actions[action]));
  if (action == MW_ACTION_REPLY) {
    printf("code: %d\n", (int)mw_verdict_code(verdict));
    print("enhanced", mw_verdict_enhanced(verdict));
    print("text", mw_verdict_text(verdict));
  }
  for (index = 0; index < mw_verdict_edit_count(verdict); index++) {
    printf("edit: %s (occurrence %u)\n", kinds[mw_verdict_edit_kind(verdict, index)],
           (unsigned)mw_verdict_edit_occurrence(verdict, index));
    print("  name", mw_verdict_edit_name(verdict, index));
    print("  value", mw_verdict_edit_value(verdict, index));
  }
  print("explanation", mw_verdict_explanation(verdict));
  return action == MW_ACTION_ACCEPT ? 0 : 1;
}

/* Judges the message. The answers to MAIL and RCPT may already be refusals. */
static int judge(mw_session_t *session, const char *sender, const char *recipient, FILE *file) {
  mw_verdict_t *verdict = NULL, *report = NULL;
  mw_error_t *error = NULL;
  int negative;
  must(mw_session_mail(session, text(sender), NULL, &verdict, &error), &error);
  if (!verdict) {
    must(mw_session_rcpt(session, text(recipient), &verdict, &error), &error);
  }
  if (verdict) { /* refused: the transaction ends here, and its report says why */
    must(mw_session_reset(session, &report, &error), &error);
    negative = print_verdict(report ? report : verdict);
    mw_verdict_free(report);
  } else {
    send_message(session, file);
    must(mw_session_end_of_message(session, text("example"), &verdict, &error), &error);
    negative = print_verdict(verdict);
  }
  mw_verdict_free(verdict);
  return negative;
}

int main(int argc, char **argv) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
  const char *config = NULL, *sender = "<>", *recipient = "postmaster@localhost";
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_error_t *error = NULL;
  FILE *file = stdin;
  int at, negative;

  if (mw_abi_version() != MW_ABI_VERSION) {
    fprintf(stderr, "check_message: the library has another interface than its header\n");
    return 2;
  }
  for (at = 1; at + 1 < argc && argv[at][0] == '-'; at += 2) {
    switch (argv[at][1]) {
      case 'c': config = argv[at + 1]; break;
      case 'd': options.dns_zone = argv[at + 1]; break;
      case 'i': facts.client_address = text(argv[at + 1]); break;
      case 'f': sender = argv[at + 1]; break;
      case 't': recipient = argv[at + 1]; break;
      default: fprintf(stderr, "check_message: unknown option %s\n", argv[at]); return 2;
    }
  }
  if (at < argc && !(file = fopen(argv[at], "rb"))) {
    perror(argv[at]);
    return 2;
  }

  must(mw_engine_open(config, &options, &engine, &error), &error);
  must(mw_session_open(engine, &facts, &session, &error), &error);
  must(mw_session_helo(session, text("client.example"), &error), &error);
  negative = judge(session, sender, recipient, file);
  mw_session_free(session);
  mw_engine_free(engine);
  if (file != stdin) {
    fclose(file);
  }
  return negative;
}
