/* Mailward inside Exim: one shared object with functions for ${dlfunc} in the ACLs, and a local_scan().
 *
 *   cc -std=c99 -O2 -shared -fPIC -I /usr/include/exim4 -I ffi/include examples/exim/mailward_exim.c \
 *      -L target/release -lmailward -o mailward-exim.so
 *
 * Exim runs one process for each connection and loads this object there once, for ACLs and local_scan() alike: what is
 * kept below belongs to one connection. README.md tells how to install it, exim.conf.part how Exim calls it.
 *
 * Every function returns OK to Exim and puts its answer into *yield, because Exim turns all else into an answer of its
 * own: "" goes on, "550 5.7.1 text" and "451 4.7.1 text" are refusals for the ACL to give. */
#define _POSIX_C_SOURCE 200809L
#define DLFUNC_IMPL
#define LOCAL_SCAN
#include <local_scan.h>

#include <errno.h>
#include <fcntl.h>
#include <mailward.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What a client hears when Mailward cannot judge. The log says why. */
#define UNAVAILABLE "451 4.3.0 Mail filter is not available, please try again later"

/* How many bytes go to the library at a time. */
#define PIECE 65536

/* The settings, from the arguments of mailward_connect. */
static char *config_file;
static char *state_dir;
static char *record_dir;     /* where connections are recorded; NULL: nowhere */
static int accept_unchecked; /* what becomes of mail that cannot be judged: refused for now, or taken as it is */
static int told_settings;
static int prepared; /* the daemon has opened the engine with these settings */

/* One engine for the process, one session for the connection. */
static mw_engine_t *engine;
static mw_session_t *session;
static char recording[64]; /* name of the session's recording */
static int unsaved;        /* a transaction has begun that the recording does not have */
static int engine_failed;  /* the configuration is not tried again in this process, nor logged again */

/* The recipients of the open transaction as the library was told them, in the order of Exim's recipients_list. An entry
 * is NULL if Exim has taken that recipient without asking. `taken` counts those that the library has taken: one that
 * Exim refused afterwards is among them, and then the envelope must be told anew. */
static char **told;
static int told_count;
static int taken;
static int in_transaction;

/* Header fields as they were sent to the library: edits count among these. */
static header_line **sent_fields;
static int sent_count;

/* What becomes of a message. */
enum fate { DELIVER, FREEZE, DISCARD, REFUSE, DEFER_FOR_TROUBLE };

static mw_text_t text_of(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = words ? strlen(words) : 0;
  return text;
}

/* A copy for Exim, which frees it with the message. */
static uschar *copy(mw_text_t text) {
  return string_copyn(CUS(text.len ? text.data : ""), (int)text.len);
}

/* The value of one of Exim's variables, "" if it has none. */
static const char *variable(const char *name) {
  uschar *value = expand_string(string_copy(CUS name));
  return value ? CCS value : "";
}

/* Whether the call went well; else the log says why. A session that has gone bad is given up, and the next MAIL opens
 * another. It takes the address of the error, because C may look at one argument before it makes the call that is
 * another. */
static int went_well(mw_status_t status, mw_error_t **error, const char *what) {
  uschar *words, *at;
  if (status == MW_OK) {
    return 1;
  }
  words = copy(mw_error_message(*error));
  for (at = words; *at; at++) {
    if (*at == '\n') {
      *at = ' ';
    }
  }
  log_write(0, LOG_MAIN, "mailward: %s failed (status %d): %s", what, (int)status, words);
  mw_error_free(*error);
  *error = NULL;
  if (status == MW_E_PANIC || status == MW_E_POISONED || status == MW_E_FORKED) {
    mw_session_free(session);
    session = NULL;
    in_transaction = 0;
  }
  return 0;
}

/* What the ACL hears when something went wrong. */
static uschar *trouble(void) {
  if (accept_unchecked) {
    log_write(0, LOG_MAIN, "mailward: goes on unchecked");
    return US"";
  }
  return US UNAVAILABLE;
}

static void forget_recipients(void) {
  int at;
  for (at = 0; at < told_count; at++) {
    free(told[at]);
  }
  free(told);
  told = NULL;
  told_count = 0;
  taken = 0;
}

/* Notes a recipient at its place in recipients_list. What stood there was refused by Exim. */
static int note_recipient(int place, const char *address) {
  char *noted = strdup(address);
  if (!noted) {
    return 0;
  }
  if (place >= told_count) {
    char **larger = realloc(told, (size_t)(place + 1) * sizeof *told);
    if (!larger) {
      free(noted);
      return 0;
    }
    told = larger;
    while (told_count <= place) {
      told[told_count++] = NULL;
    }
  }
  free(told[place]);
  told[place] = noted;
  return 1;
}

/* Waits; this process serves nobody else. */
static void pause_for(uint32_t milliseconds) {
  struct timespec left;
  left.tv_sec = (time_t)(milliseconds / 1000);
  left.tv_nsec = (long)(milliseconds % 1000) * 1000000L;
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/* Opens the engine, unless it is open. */
static int open_engine(void) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_error_t *error = NULL;
  mw_status_t status;
  if (engine || engine_failed) {
    return engine != NULL;
  }
  if (mw_abi_version() != MW_ABI_VERSION) {
    log_write(0, LOG_MAIN, "mailward: the library has another interface than this plugin was built for");
    engine_failed = 1;
    return 0;
  }
  options.state_dir = host_checking ? NULL : state_dir; /* "exim -bh" leaves no traces */
  options.record = record_dir && !host_checking;
  status = mw_engine_open(config_file, &options, &engine, &error);
  engine_failed = !went_well(status, &error, "opening the engine");
  return !engine_failed;
}

/* Opens a session for this connection. Threads begin here: signals stay with Exim's own, which relies on them for its
 * timeouts. */
static int open_session(void) {
  static int number;
  mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
  mw_error_t *error = NULL;
  sigset_t all, before;
  mw_status_t status;
  if (session) {
    return 1;
  }
  facts.client_address = text_of(CCS sender_host_address);
  facts.client_name = text_of(CCS sender_host_name);
  facts.host_name = text_of(variable("$primary_hostname"));
  facts.local_submission = sender_host_address == NULL;
  sigfillset(&all);
  if (!open_engine() || pthread_sigmask(SIG_BLOCK, &all, &before) != 0) {
    return 0;
  }
  status = mw_session_open(engine, &facts, &session, &error);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  in_transaction = 0;
  unsaved = 0;
  sprintf(recording, "%ld-%ld-%d.session", (long)time(NULL), (long)getpid(), ++number);
  return went_well(status, &error, "opening a session");
}

/* Records what the session has seen so far. Trouble with that is logged, and nobody's mail suffers from it. */
static void save_recording(void) {
  mw_error_t *error = NULL;
  const char *file;
  if (!session || !record_dir || host_checking || !unsaved) {
    return;
  }
  unsaved = 0;
  file = CCS string_sprintf("%s/%s", record_dir, recording);
  (void)went_well(mw_session_save_recording(session, file, &error), &error, "the recording");
}

/* "550 5.7.1 text" of a refusal, after its delay. */
static uschar *reply_of(const mw_verdict_t *refusal) {
  pause_for(mw_verdict_delay_ms(refusal));
  return string_sprintf("%d %s %s", (int)mw_verdict_code(refusal), copy(mw_verdict_enhanced(refusal)),
                        copy(mw_verdict_text(refusal)));
}

/* Drops an open transaction: Exim has no ACL for RSET, so MAIL does it. */
static int reset(void) {
  mw_error_t *error = NULL;
  forget_recipients();
  if (!in_transaction) {
    return 1;
  }
  in_transaction = 0;
  return went_well(mw_session_reset(session, NULL, &error), &error, "RSET");
}

/* The version of TLS as OpenSSL and other mail servers write it, "TLSv1.3": Exim calls it "TLS1.3". */
static mw_text_t tls_version(void) {
  const char *version = variable("$tls_in_ver");
  if (strncmp(version, "TLS1", 4) == 0) {
    version = CCS string_sprintf("TLSv%s", version + 3);
  }
  return text_of(version);
}

/* Tells HELO and MAIL. *answer is "" or a refusal. */
static int tell_mail(uschar **answer) {
  mw_mail_facts_t facts = MW_MAIL_FACTS_INIT;
  mw_verdict_t *refusal = NULL;
  mw_error_t *error = NULL;
  const char *helo, *sender;
  if (!open_session() || !reset()) {
    return 0;
  }
  helo = variable("$sender_helo_name");
  if (*helo && !went_well(mw_session_helo(session, text_of(helo), &error), &error, "HELO")) {
    return 0;
  }
  /* Exim names a user for mail of programs on this host too; that one has not authenticated. */
  if (sender_host_address && sender_host_authenticated) {
    facts.login = text_of(variable("$authenticated_id"));
    facts.login_mechanism = text_of(CCS sender_host_authenticated);
  }
  facts.tls_version = tls_version();
  facts.tls_cipher = text_of(variable("$tls_in_cipher"));
  sender = CCS string_sprintf("<%s>", sender_address ? sender_address : US"");
  in_transaction = 1;
  unsaved = 1;
  if (!went_well(mw_session_mail(session, text_of(sender), &facts, &refusal, &error), &error, "MAIL")) {
    return 0;
  }
  *answer = US"";
  if (refusal) {
    *answer = reply_of(refusal);
    mw_verdict_free(refusal);
  }
  return 1;
}

/* Tells RCPT, for this place in recipients_list. *answer is "" or a refusal. */
static int tell_rcpt(int place, const char *address, uschar **answer) {
  mw_verdict_t *refusal = NULL;
  mw_error_t *error = NULL;
  const char *recipient = CCS string_sprintf("<%s>", address);
  if (!went_well(mw_session_rcpt(session, text_of(recipient), &refusal, &error), &error, "RCPT")) {
    return 0;
  }
  *answer = US"";
  if (refusal) {
    *answer = reply_of(refusal);
    mw_verdict_free(refusal);
    return 1;
  }
  taken++;
  return note_recipient(place, recipient);
}

/* Whether the library knows the envelope as Exim has it now. */
static int knows_envelope(void) {
  int at;
  if (!session || !in_transaction || taken != recipients_count || told_count < recipients_count) {
    return 0;
  }
  for (at = 0; at < recipients_count; at++) {
    if (!told[at]) {
      return 0;
    }
  }
  return 1;
}

/* Tells the whole envelope: mail that came without SMTP, and mail of whose recipients Exim has refused some itself. */
static int tell_envelope(uschar **answer) {
  int at;
  if (!tell_mail(answer)) {
    return 0;
  }
  for (at = 0; at < recipients_count && !**answer; at++) {
    if (!tell_rcpt(at, CCS recipients_list[at].address, answer)) {
      return 0;
    }
  }
  return 1;
}

/* Bytes on their way to the library. Exim keeps LF, the library wants CRLF as on the wire. */
struct pieces {
  char bytes[PIECE];
  size_t len;
  char previous;
};

static struct pieces pieces;

static int flush_pieces(void) {
  mw_error_t *error = NULL;
  mw_text_t piece;
  piece.data = pieces.bytes;
  piece.len = pieces.len;
  pieces.len = 0;
  return went_well(mw_session_write(session, piece, &error), &error, "the message");
}

static int send_bytes(const char *bytes, size_t len) {
  size_t at;
  for (at = 0; at < len; at++) {
    if (pieces.len + 2 > sizeof pieces.bytes && !flush_pieces()) {
      return 0;
    }
    /* With spool_wireformat the file has CRLF already. */
    if (bytes[at] == '\n' && pieces.previous != '\r') {
      pieces.bytes[pieces.len++] = '\r';
    }
    pieces.bytes[pieces.len++] = bytes[at];
    pieces.previous = bytes[at];
  }
  return 1;
}

/* Sends the header fields as they came: without those that Exim has struck out, and without Exim's own Received, which
 * is the first one. */
static int send_header(void) {
  header_line *field;
  int own_received = 0, count = 0;
  for (field = header_list; field; field = field->next) {
    count++;
    if (!field->text) { /* the place of a Received that received_header_text has switched off */
      own_received = 1;
    }
  }
  sent_count = 0;
  sent_fields = store_get((int)sizeof(header_line *) * (count + 1), GET_UNTAINTED);
  for (field = header_list; field; field = field->next) {
    if (!field->text || field->type == '*') {
      continue;
    }
    if (!own_received && header_testname(field, CUS"Received", 8, FALSE)) {
      own_received = 1;
      continue;
    }
    sent_fields[sent_count++] = field;
    if (!send_bytes(CCS field->text, (size_t)field->slen)) {
      return 0;
    }
  }
  return send_bytes("\n", 1);
}

/* Sends the body from the spool file. */
static int send_body(int file) {
  char block[8192];
  ssize_t len;
  if (lseek(file, SPOOL_DATA_START_OFFSET, SEEK_SET) < 0) {
    log_write(0, LOG_MAIN, "mailward: cannot read the message: %s", strerror(errno));
    return 0;
  }
  for (;;) {
    len = read(file, block, sizeof block);
    if (len == 0) {
      return flush_pieces();
    }
    if (len < 0 && errno != EINTR) {
      log_write(0, LOG_MAIN, "mailward: cannot read the message: %s", strerror(errno));
      return 0;
    }
    if (len > 0 && !send_bytes(block, (size_t)len)) {
      return 0;
    }
  }
}

/* The occurrence-th field of this name among those that were sent, NULL if there is none. */
static header_line *find_field(mw_text_t name, uint32_t occurrence) {
  uint32_t seen = 0;
  int at;
  for (at = 0; at < sent_count; at++) {
    if (header_testname(sent_fields[at], CUS name.data, (int)name.len, FALSE) && ++seen == occurrence) {
      return sent_fields[at];
    }
  }
  return NULL;
}

/* Gives a field this name and value. Exim's own functions would end the process at a long one. */
static int set_field(header_line *field, mw_text_t name, mw_text_t value) {
  uschar *line;
  int len;
  if (name.len > HEADER_MAXSIZE || value.len > HEADER_MAXSIZE - name.len) {
    log_write(0, LOG_MAIN, "mailward: a header field is too long for Exim");
    return 0;
  }
  len = (int)(name.len + 2 + value.len + 1);
  line = store_get(len + 1, GET_TAINTED);
  memcpy(line, name.data, name.len);
  memcpy(line + name.len, ": ", 2);
  if (value.len) {
    memcpy(line + name.len + 2, value.data, value.len);
  }
  line[len - 1] = '\n';
  line[len] = '\0';
  field->text = line;
  field->slen = len;
  return 1;
}

/* Takes off the recipients to which the library was told this address. Those behind move up, in both lists. */
static void remove_recipient(mw_text_t address) {
  int at = 0;
  while (at < recipients_count && at < told_count) {
    if (!told[at] || strlen(told[at]) != address.len || memcmp(told[at], address.data, address.len) != 0) {
      at++;
      continue;
    }
    free(told[at]);
    recipients_count--;
    told_count--;
    memmove(recipients_list + at, recipients_list + at + 1, (size_t)(recipients_count - at) * sizeof *recipients_list);
    memmove(told + at, told + at + 1, (size_t)(told_count - at) * sizeof *told);
  }
}

/* Makes one edit. */
static int make_edit(const mw_verdict_t *verdict, size_t index, enum fate *fate) {
  mw_text_t name = mw_verdict_edit_name(verdict, index);
  mw_text_t value = mw_verdict_edit_value(verdict, index);
  header_line *field;
  switch (mw_verdict_edit_kind(verdict, index)) {
    case MW_EDIT_ADD_HEADER:
      header_add_at_position(FALSE, NULL, FALSE, ' ', "X-Mailward:\n"); /* a place at the top */
      return set_field(header_list, name, value);
    case MW_EDIT_CHANGE_HEADER:
      field = find_field(name, mw_verdict_edit_occurrence(verdict, index));
      return !field || set_field(field, name, value);
    case MW_EDIT_REMOVE_HEADER:
      field = find_field(name, mw_verdict_edit_occurrence(verdict, index));
      if (field) {
        field->type = '*';
      }
      return 1;
    case MW_EDIT_REMOVE_RECIPIENT:
      remove_recipient(value);
      return 1;
    case MW_EDIT_HOLD:
      log_write(0, LOG_MAIN, "mailward: frozen: %s", copy(value));
      *fate = FREEZE;
      return 1;
    default: /* of a later version; it must not be ignored */
      log_write(0, LOG_MAIN, "mailward: an edit that this plugin does not know");
      return 0;
  }
}

/* Makes the edits, and tells what becomes of the message. *answer is the reply to it, else the reference. */
static enum fate act(const mw_verdict_t *verdict, uschar **answer) {
  enum fate fate = DELIVER;
  size_t index;
  *answer = copy(mw_verdict_reference(verdict));
  switch (mw_verdict_action(verdict)) {
    case MW_ACTION_REPLY:
      *answer = reply_of(verdict);
      return REFUSE;
    case MW_ACTION_DISCARD:
      log_write(0, LOG_MAIN, "mailward: discarded, reference %s", *answer);
      return DISCARD;
    case MW_ACTION_ACCEPT:
      break;
    default:
      log_write(0, LOG_MAIN, "mailward: an action that this plugin does not know");
      return DEFER_FOR_TROUBLE;
  }
  for (index = 0; index < mw_verdict_edit_count(verdict); index++) {
    if (!make_edit(verdict, index, &fate)) {
      return DEFER_FOR_TROUBLE;
    }
  }
  log_write(0, LOG_MAIN, "mailward: accepted, reference %s", *answer);
  return recipients_count > 0 ? fate : DISCARD;
}

/* Judges the message whose body is in this file. */
static enum fate judge(int file, uschar **answer) {
  mw_verdict_t *verdict = NULL;
  mw_error_t *error = NULL;
  enum fate fate;
  if (!told_settings) {
    log_write(0, LOG_MAIN, "mailward: not checked, as no ACL has called mailward_connect");
    *answer = US"";
    return DELIVER;
  }
  *answer = US UNAVAILABLE;
  if (!knows_envelope()) {
    if (!tell_envelope(answer)) {
      *answer = US UNAVAILABLE;
      return accept_unchecked ? DELIVER : DEFER_FOR_TROUBLE;
    }
    if (**answer) {
      return REFUSE;
    }
  }
  *answer = US UNAVAILABLE;
  pieces.len = 0;
  pieces.previous = '\0';
  if (!send_header() || !send_body(file)) {
    return accept_unchecked ? DELIVER : DEFER_FOR_TROUBLE;
  }
  in_transaction = 0; /* the verdict ends it */
  if (!went_well(mw_session_end_of_message(session, text_of(CCS message_id), &verdict, &error), &error,
                 "the verdict")) {
    return accept_unchecked ? DELIVER : DEFER_FOR_TROUBLE;
  }
  save_recording(); /* now, as nothing says that the connection will have an orderly end */
  fate = act(verdict, answer);
  mw_verdict_free(verdict);
  forget_recipients();
  return fate;
}

/* The connection has ended. What history has not written yet is written now. */
static void close_all(void) {
  if (session) {
    (void)reset();
    save_recording();
  }
  mw_session_free(session);
  mw_engine_free(engine);
  session = NULL;
  engine = NULL;
  forget_recipients();
  in_transaction = 0;
}

/* Mail that comes without SMTP is one message: the process ends after it, and tells no ACL. */
static void close_unless_smtp(void) {
  if (!smtp_input) {
    close_all();
  }
}

/* Whether the setting is what it is told to be; the empty text is NULL. */
static int is_set_to(const char *setting, const uschar *words) {
  return strcmp(setting ? setting : "", CCS words) == 0;
}

/* Changes a setting. */
static int set_to(char **setting, const uschar *words) {
  free(*setting);
  *setting = *words ? strdup(CCS words) : NULL;
  return !*words || *setting;
}

/* Whether the settings are these. */
static int are_settings(uschar *config, uschar *state, uschar *record) {
  return is_set_to(config_file, config) && is_set_to(state_dir, state) && is_set_to(record_dir, record);
}

/* Changes them. */
static int set_settings(uschar *config, uschar *state, uschar *record) {
  return set_to(&config_file, config) && set_to(&state_dir, state) && set_to(&record_dir, record);
}

/* ${dlfunc{…}{mailward_prepare}{CONFIGURATION}{STATE}{LIMIT}{RECORD}}: for smtp_accept_max_per_host, which is the one setting that
 * the daemon looks at before it forks. Opens the engine there, so that the processes for connections inherit it, and
 * answers with the limit. A fault is logged; each connection then tries for itself. */
int mailward_prepare(uschar **yield, int argc, uschar *argv[]) {
  *yield = argc >= 3 ? argv[2] : US"0";
  if (argc < 3 || argc > 4 || told_settings) {
    return OK;
  }
  told_settings = set_settings(argv[0], argv[1], argc == 4 ? argv[3] : US"");
  prepared = told_settings && open_engine();
  return OK;
}

/* ${dlfunc{…}{mailward_connect}{CONFIGURATION}{STATE}{defer|accept}{RECORD}}: settings, and a client that has connected. An
 * empty configuration means the defaults, an empty state one that lasts as long as the connection; RECORD is a folder, and
 * may be empty or left out. Never refuses: a fault is logged here and told to the client at MAIL. */
int mailward_connect(uschar **yield, int argc, uschar *argv[]) {
  uschar *record = argc == 4 ? argv[3] : US"";
  *yield = US"";
  if (argc < 3 || argc > 4) {
    log_write(0, LOG_MAIN, "mailward: mailward_connect takes three arguments, or four");
    return OK;
  }
  if (!prepared || !are_settings(argv[0], argv[1], record)) {
    close_all();
    engine_failed = !set_settings(argv[0], argv[1], record);
  }
  accept_unchecked = Ustrcmp(argv[2], "accept") == 0;
  told_settings = 1;
  (void)open_session();
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

/* The spool file of the message that is being received, -1 if it cannot be read. */
static int open_spool_file(void) {
  const char *folder = variable("$spool_directory");
  const char *path = CCS string_sprintf("%s/input/%s-D", folder, message_id);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 && strlen(CCS message_id) > 5) { /* with split_spool_directory */
    path = CCS string_sprintf("%s/input/%c/%s-D", folder, message_id[5], message_id);
    file = open(path, O_RDONLY | O_CLOEXEC);
  }
  if (file < 0) {
    log_write(0, LOG_MAIN, "mailward: cannot read the message: %s: %s", path, strerror(errno));
  }
  return file;
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
