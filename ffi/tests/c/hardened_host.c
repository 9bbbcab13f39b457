/* A host that may not make memory executable, as systemd's MemoryDenyWriteExecute= has it, judges mail; and the library
 * leaves the host's signals alone. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <mailward.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHECK(what)                                                  \
  do {                                                               \
    if (!(what)) {                                                   \
      fprintf(stderr, "line %d: %s, errno %d\n", __LINE__, #what, errno); \
      return 1;                                                      \
    }                                                                \
  } while (0)

static mw_text_t text(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = strlen(words);
  return text;
}

/* Refuses mprotect() with PROT_EXEC from now on. Little-endian machines have the low half of an argument first. */
static int forbid_executable_memory(void) {
  struct sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mprotect, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program;
  program.len = sizeof steps / sizeof *steps;
  program.filter = steps;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static int signals_are_as_they_were(const struct sigaction *before) {
  int signal;
  for (signal = 1; signal < 32; signal++) {
    struct sigaction now;
    if (sigaction(signal, NULL, &now) == 0 && now.sa_handler != before[signal].sa_handler) {
      fprintf(stderr, "signal %d has another handler\n", signal);
      return 0;
    }
  }
  return 1;
}

int main(int argc, char **argv) {
  static struct sigaction before[32];
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_verdict_t *verdict = NULL;
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int signal;
  CHECK(argc == 2);
  CHECK(page != MAP_FAILED);
  for (signal = 1; signal < 32; signal++) {
    (void)sigaction(signal, NULL, &before[signal]);
  }
  CHECK(forbid_executable_memory());
  CHECK(mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0 && errno == EACCES);
  options.dns_zone = argv[1];
  CHECK(mw_engine_open(NULL, &options, &engine, NULL) == MW_OK);
  CHECK(mw_session_open(engine, NULL, &session, NULL) == MW_OK);
  CHECK(mw_session_mail(session, text("<>"), NULL, &verdict, NULL) == MW_OK && !verdict);
  CHECK(mw_session_rcpt(session, text("a@example.com"), &verdict, NULL) == MW_OK && !verdict);
  CHECK(mw_session_write(session, text("Subject: x\r\n\r\nhello\r\n"), NULL) == MW_OK);
  CHECK(mw_session_end_of_message(session, text(""), &verdict, NULL) == MW_OK);
  CHECK(mw_verdict_action(verdict) == MW_ACTION_ACCEPT);
  mw_verdict_free(verdict);
  mw_session_free(session);
  CHECK(signals_are_as_they_were(before));
  mw_engine_free(engine);
  return 0;
}
