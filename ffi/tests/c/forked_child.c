/* An engine serves a process that forks after opening it; handles that are in use before a fork say so in the child. */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <mailward.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static mw_text_t text(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = strlen(words);
  return text;
}

static int threads(void) {
  int count = 0;
  struct dirent *entry;
  DIR *tasks = opendir("/proc/self/task");
  while (tasks && (entry = readdir(tasks))) {
    count += entry->d_name[0] != '.';
  }
  if (tasks) {
    closedir(tasks);
  }
  return count;
}

/* Judges a small message; 0 if it is accepted. */
static int judge(const mw_engine_t *engine) {
  mw_session_t *session = NULL;
  mw_verdict_t *verdict = NULL;
  int result = 10;
  if (mw_session_open(engine, NULL, &session, NULL) == MW_OK &&
      mw_session_mail(session, text("<>"), NULL, &verdict, NULL) == MW_OK && !verdict &&
      mw_session_rcpt(session, text("a@example.com"), &verdict, NULL) == MW_OK && !verdict &&
      mw_session_write(session, text("Subject: x\r\n\r\nhello\r\n"), NULL) == MW_OK &&
      mw_session_end_of_message(session, text(""), &verdict, NULL) == MW_OK) {
    result = mw_verdict_action(verdict) == MW_ACTION_ACCEPT ? 0 : 11;
  }
  mw_verdict_free(verdict);
  mw_session_free(session);
  return result;
}

static int exit_status(pid_t child) {
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

int main(int argc, char **argv) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_error_t *error = NULL;
  pid_t child;
  int round, status;

  options.dns_zone = argc > 1 ? argv[1] : NULL;
  if (mw_engine_open(NULL, &options, &engine, NULL) != MW_OK) {
    return 1;
  }
  if (threads() != 1) {
    printf("opening an engine left %d threads\n", threads());
    return 2;
  }
  for (round = 0; round < 2; round++) {
    if ((child = fork()) == 0) {
      status = judge(engine);
      mw_engine_free(engine);
      _exit(status);
    }
    if ((status = exit_status(child)) != 0) {
      printf("a child could not judge: %d\n", status);
      return 3;
    }
  }

  if (mw_session_open(engine, NULL, &session, NULL) != MW_OK) {
    return 4;
  }
  if ((child = fork()) == 0) {
    status = mw_session_helo(session, text("x"), &error) != MW_E_FORKED;
    status |= mw_error_message(error).len == 0;
    status |= judge(engine) != 10 || mw_session_open(engine, NULL, &session, NULL) != MW_E_FORKED;
    mw_session_free(session);
    mw_engine_free(engine);
    _exit(status);
  }
  if ((status = exit_status(child)) != 0) {
    printf("a child used a handle of its parent: %d\n", status);
    return 5;
  }
  if (mw_session_helo(session, text("x"), NULL) != MW_OK || judge(engine) != 0) {
    return 6;
  }
  mw_session_free(session);
  mw_engine_free(engine);
  return 0;
}
