/* Mailward inside Exim: one shared object with functions for ${dlfunc} in the ACLs, and a local_scan().
 *
 * README.md tells how to build and install it, exim.conf.part how Exim calls it. This file has what Exim calls; connection.c keeps
 * engine and session, envelope.c tells the library sender and recipients, message.c the message.
 *
 * Every function returns OK to Exim and puts its answer into *yield, because Exim turns all else into an answer of its
 * own: "" goes on, "550 5.7.1 text" and "451 4.7.1 text" are refusals for the ACL to give. */
#include "plugin.h"

#include <unistd.h>

/* ${dlfunc{…}{mailward_prepare}{CONFIGURATION}{STATE}{LIMIT}{RECORD}}: for smtp_accept_max_per_host, which is the one setting that
 * the daemon looks at before it forks. Opens the engine there, so that the processes for connections inherit it, and
 * answers with the limit. A fault is logged; each connection then tries for itself. */
int mailward_prepare(uschar **yield, int argc, uschar *argv[]) {
  *yield = argc >= 3 ? argv[2] : US"0";
  if (argc < 3 || argc > 4 || told_settings) {
    return OK;
  }
  prepare(argv[0], argv[1], argc == 4 ? argv[3] : US"");
  return OK;
}

/* ${dlfunc{…}{mailward_connect}{CONFIGURATION}{STATE}{defer|accept}{RECORD}}: settings, and a client that has connected. An
 * empty configuration means the defaults, an empty state one that lasts as long as the connection; RECORD is a folder, and
 * may be empty or left out. Never refuses: a fault is logged here and told to the client at MAIL. */
int mailward_connect(uschar **yield, int argc, uschar *argv[]) {
  *yield = US"";
  if (argc < 3 || argc > 4) {
    log_write(0, LOG_MAIN, "mailward: mailward_connect takes three arguments, or four");
    return OK;
  }
  accept_unchecked = Ustrcmp(argv[2], "accept") == 0;
  connect_client(argv[0], argv[1], argc == 4 ? argv[3] : US"");
  return OK;
}

/* ${dlfunc{…}{mailward_mail}}: a sender. */
int mailward_mail(uschar **yield, int argc, uschar *argv[]) {
  (void)argc;
  (void)argv;
  if (!told_settings) {
    log_write(0, LOG_MAIN, "mailward: the connect ACL has not called mailward_connect");
  }
  if (!told_settings || !tell_mail(yield)) {
    *yield = trouble();
  }
  return OK;
}

/* ${dlfunc{…}{mailward_rcpt}{ADDRESS}}: a recipient. */
int mailward_rcpt(uschar **yield, int argc, uschar *argv[]) {
  if (argc != 1) {
    log_write(0, LOG_MAIN, "mailward: mailward_rcpt takes one argument");
    *yield = trouble();
  } else if (!session || !in_transaction || !tell_rcpt(recipients_count, CCS argv[0], yield)) {
    *yield = trouble();
  }
  return OK;
}

/* ${dlfunc{…}{mailward_close}}: the connection has ended. */
int mailward_close(uschar **yield, int argc, uschar *argv[]) {
  (void)argc;
  (void)argv;
  close_all();
  *yield = US"";
  return OK;
}

/* ${dlfunc{…}{mailward_data}}: the message, for the DATA ACL of an Exim without local_scan(). Beside refusals the answer
 * is "discard" or "freeze". */
int mailward_data(uschar **yield, int argc, uschar *argv[]) {
  uschar *answer = US"";
  enum fate fate = DEFER_FOR_TROUBLE;
  int file = open_spool_file();
  (void)argc;
  (void)argv;
  if (file < 0) {
    *yield = trouble();
    return OK;
  }
  fate = judge(file, &answer);
  (void)close(file);
  close_unless_smtp();
  switch (fate) {
    case DELIVER: *yield = US""; break;
    case FREEZE: *yield = US"freeze"; break;
    case DISCARD: *yield = US"discard"; break;
    case REFUSE: *yield = answer; break;
    case DEFER_FOR_TROUBLE: *yield = US UNAVAILABLE; break;
  }
  return OK;
}

int local_scan_version_major(void) {
  return LOCAL_SCAN_ABI_VERSION_MAJOR;
}

int local_scan_version_minor(void) {
  return LOCAL_SCAN_ABI_VERSION_MINOR;
}

/* The message, in a Debian Exim with local_scan_path. Exim gives the code of a refusal itself, 550 or 451, so the text
 * begins with the enhanced code. */
int local_scan(int file, uschar **return_text) {
  uschar *answer = US"";
  enum fate fate = judge(file, &answer);
  close_unless_smtp();
  *return_text = answer;
  switch (fate) {
    case DELIVER: return LOCAL_SCAN_ACCEPT;
    case FREEZE: return LOCAL_SCAN_ACCEPT_FREEZE;
    case DISCARD: recipients_count = 0; return LOCAL_SCAN_ACCEPT;
    case REFUSE:
      *return_text = answer + 4;
      return *answer == '5' ? LOCAL_SCAN_REJECT : LOCAL_SCAN_TEMPREJECT;
    case DEFER_FOR_TROUBLE: break;
  }
  *return_text = US UNAVAILABLE + 4;
  return LOCAL_SCAN_TEMPREJECT;
}
