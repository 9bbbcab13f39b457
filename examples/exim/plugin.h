/* What the parts of the plugin have in common. Exim runs one process for each connection and loads the plugin there once:
 * what is kept belongs to one connection. */
#ifndef MAILWARD_EXIM_PLUGIN_H
#define MAILWARD_EXIM_PLUGIN_H

#define _POSIX_C_SOURCE 200809L
#define DLFUNC_IMPL
#define LOCAL_SCAN
#include <local_scan.h>

#include <mailward.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a client hears when Mailward cannot judge. The log says why. */
#define UNAVAILABLE "451 4.3.0 Mail filter is not available, please try again later"

/* What becomes of a message. */
enum fate { DELIVER, FREEZE, DISCARD, REFUSE, DEFER_FOR_TROUBLE };

/* Exim has many names of its own, and ours shall neither hide one of them nor be hidden. */
#pragma GCC visibility push(hidden)

/* connection.c */
extern mw_session_t *session;  /* of this connection */
extern int accept_unchecked;   /* what becomes of mail that cannot be judged: refused for now, or taken as it is */
extern int told_settings;      /* an ACL has told the settings */
extern int in_transaction;     /* the library has been told a MAIL and not yet its end */
extern int unsaved;            /* a transaction has begun that the recording does not have */
mw_text_t text_of(const char *words);
uschar *copy(mw_text_t text);
const char *variable(const char *name);
int went_well(mw_status_t status, mw_error_t **error, const char *what);
uschar *trouble(void);
int open_session(void);
void save_recording(void);
void close_all(void);
void close_unless_smtp(void);
void prepare(uschar *config, uschar *state, uschar *record);
void connect_client(uschar *config, uschar *state, uschar *record);

/* envelope.c */
void forget_recipients(void);
uschar *reply_of(const mw_verdict_t *refusal);
int reset(void);
int tell_mail(uschar **answer);
int tell_rcpt(int place, const char *address, uschar **answer);
int knows_envelope(void);
int tell_envelope(uschar **answer);
void remove_recipient(mw_text_t address);
void add_recipient(mw_text_t address);

/* message.c */
int open_spool_file(void);
enum fate judge(int file, uschar **answer);

#pragma GCC visibility pop

#endif
