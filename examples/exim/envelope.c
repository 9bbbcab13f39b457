/* Sender and recipients: what the library is told of them, and what it answers. */
#include "plugin.h"

#include <errno.h>
#include <time.h>

/* The recipients of the open transaction as the library was told them, in the order of Exim's recipients_list. An entry
 * is NULL if Exim has taken that recipient without asking. `taken` counts those that the library has taken: one that
 * Exim refused afterwards is among them, and then the envelope must be told anew. */
static char **told;
static int told_count;
static int taken;

void forget_recipients(void) {
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

/* "550 5.7.1 text" of a refusal, after its delay. */
uschar *reply_of(const mw_verdict_t *refusal) {
  pause_for(mw_verdict_delay_ms(refusal));
  return string_sprintf("%d %s %s", (int)mw_verdict_code(refusal), copy(mw_verdict_enhanced(refusal)),
                        copy(mw_verdict_text(refusal)));
}

/* Drops an open transaction: Exim has no ACL for RSET, so MAIL does it. */
int reset(void) {
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
int tell_mail(uschar **answer) {
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
int tell_rcpt(int place, const char *address, uschar **answer) {
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
int knows_envelope(void) {
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
int tell_envelope(uschar **answer) {
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

/* Takes off the recipients to which the library was told this address. Those behind move up, in both lists. */
void remove_recipient(mw_text_t address) {
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

/* Adds a recipient: Exim wants it without its angle brackets. */
void add_recipient(mw_text_t address) {
  if (address.len > 2) {
    mw_text_t bare = {address.data + 1, address.len - 2};
    receive_add_recipient(copy(bare), -1);
  }
}
