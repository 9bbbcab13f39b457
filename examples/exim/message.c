/* The message: its bytes on their way to the library, and the verdict made true. */
#include "plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* How many bytes go to the library at a time. */
#define PIECE 65536

/* Header fields as they were sent to the library: edits count among these. */
static header_line **sent_fields;
static int sent_count;

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
    case MW_EDIT_ADD_RECIPIENT:
      add_recipient(value);
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
enum fate judge(int file, uschar **answer) {
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

/* The spool file of the message that is being received, -1 if it cannot be read. */
int open_spool_file(void) {
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
