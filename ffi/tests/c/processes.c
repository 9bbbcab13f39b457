/* A server that forks for each connection: 16 processes at once, every other one as another user, each with an engine of its own on
 * one state directory. Arguments: configuration, state directory, user id of the others. Each process names two recipients that
 * do not exist; printed is how many of the 32 were refused as unknown, and how many otherwise. */
#define _DEFAULT_SOURCE
#include <grp.h>
#include <mailward.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 16

static mw_text_t text(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = strlen(words);
  return text;
}

/* One connection. Gives how many recipients were refused as unknown, or -1. */
static int connection(const char *config, const char *state_dir, int number) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_verdict_t *verdict = NULL;
  mw_error_t *error = NULL;
  int recipient, unknown = 0;
  options.state_dir = state_dir;
  facts.client_address = text("192.0.2.7");
  if (mw_engine_open(config, &options, &engine, &error) != MW_OK) {
    mw_text_t message = mw_error_message(error);
    fprintf(stderr, "%.*s\n", (int)message.len, message.data);
    return -1;
  }
  if (mw_session_open(engine, &facts, &session, NULL) != MW_OK ||
      mw_session_mail(session, text("a@example.net"), NULL, &verdict, NULL) != MW_OK) {
    return -1;
  }
  for (recipient = 0; verdict == NULL && recipient < 2; recipient++) {
    char address[64];
    snprintf(address, sizeof address, "nobody%d.%d@example.com", number, recipient);
    if (mw_session_rcpt(session, text(address), &verdict, NULL) != MW_OK) {
      return -1;
    }
    if (verdict != NULL) {
      mw_text_t enhanced = mw_verdict_enhanced(verdict);
      unknown += enhanced.len == 5 && memcmp(enhanced.data, "5.1.1", 5) == 0;
      mw_verdict_free(verdict);
      verdict = NULL;
    }
  }
  mw_verdict_free(verdict);
  mw_session_free(session);
  mw_engine_free(engine);
  return unknown;
}

int main(int argc, char **argv) {
  int number, unknown = 0;
  uid_t other;
  if (argc != 4) {
    return 2;
  }
  other = (uid_t)atoi(argv[3]);
  for (number = 0; number < PROCESSES; number++) {
    pid_t child = fork();
    if (child < 0) {
      return 1;
    }
    if (child == 0) {
      int refused;
      if (number % 2 == 1 && (setgroups(0, NULL) != 0 || setgid((gid_t)other) != 0 || setuid(other) != 0)) {
        _exit(100);
      }
      refused = connection(argv[1], argv[2], number);
      _exit(refused < 0 ? 101 : refused);
    }
  }
  for (number = 0; number < PROCESSES; number++) {
    int status = 0;
    if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) > 2) {
      fprintf(stderr, "a process ended with %d\n", status);
      return 1;
    }
    unknown += WEXITSTATUS(status);
  }
  printf("%d unknown, %d otherwise\n", unknown, 2 * PROCESSES - unknown);
  return 0;
}
