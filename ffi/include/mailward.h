/* libmailward: judges mail for the program that receives it. Every verdict says why.
 *
 * Life of a message:
 *   mw_engine_open                      once: configuration and state
 *   mw_session_open, mw_session_helo    a client connects
 *   mw_session_mail, mw_session_rcpt    the envelope; each may be refused
 *   mw_session_write ...                the message, in pieces
 *   mw_session_end_of_message           the verdict
 *   mw_session_free, mw_engine_free
 *
 * Threads. An engine is const and may be used by any number of threads at a time. A session is used by one thread at a
 * time, whichever. Verdicts and errors are plain data: any number of threads may read one.
 *
 * Forks. mw_engine_open leaves no thread behind: a process may open an engine and fork, and each child opens sessions
 * with it. The first session starts threads. From then on the engine and its sessions belong to that process: in a child
 * that it forks later, calls fail with MW_E_FORKED, and the _free functions do nothing.
 *
 * Process. The library makes no memory executable and installs no signal handlers; its threads take signals as the thread
 * that opened the first session did. Rules for malware run in the service mailward-scan where it runs and lets this user
 * ask, else on a thread of the library; [malware] scanning of the configuration chooses ("in-process", "unix:PATH").
 *
 * Errors. A function that can fail returns a status. `err` may be NULL; else on failure *err is set to an error that the
 * caller owns (mw_error_free), and on success it is untouched. On failure no other output is written. A fault inside the
 * library never ends the process: the call returns MW_E_PANIC (a line goes to standard error), and the session answers
 * all further calls with MW_E_POISONED.
 *
 * Texts are bytes with a length, not always UTF-8, not ended by NUL. Those that are passed in are read before the
 * function returns. Those that are returned belong to the object that they were asked of, and live as long as it does.
 *
 * This is a first version, before 1.0: functions may still change, and then MW_ABI_VERSION does. */
#ifndef MAILWARD_H
#define MAILWARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this header, and number of its interface. */
#define MW_VERSION "0.1.0"
#define MW_ABI_VERSION 3

/* Status codes. 0 is success; values are never used again for something else. */
typedef int32_t mw_status_t;
#define MW_OK 0
#define MW_E_ARGUMENT 1 /* a pointer is NULL, or an argument makes no sense */
#define MW_E_CONFIG 2   /* the configuration, or a file that it names, has faults: the message has one a line */
#define MW_E_SYSTEM 3   /* the directory of the state, or a thread, cannot be had */
#define MW_E_ORDER 4    /* this command cannot come now; the session goes on as if it had not come */
#define MW_E_FORKED 5   /* the handle was in use before the process forked */
#define MW_E_PANIC 6    /* a fault inside the library */
#define MW_E_POISONED 7 /* an earlier call on this session returned MW_E_PANIC */

/* Actions of a verdict. */
#define MW_ACTION_ACCEPT 0  /* take the message and make the edits */
#define MW_ACTION_DISCARD 1 /* take the message and drop it */
#define MW_ACTION_REPLY 2   /* answer with the code (4xx or 5xx) and text; 421 also closes the connection */

/* Kinds of edits. Each applies to the message for all its recipients; occurrences count as the message came in. */
#define MW_EDIT_ADD_HEADER 1       /* put name and value above all other fields */
#define MW_EDIT_CHANGE_HEADER 2    /* the occurrence-th field of this name, from 1, gets this value */
#define MW_EDIT_REMOVE_HEADER 3    /* the occurrence-th field of this name, from 1, goes */
#define MW_EDIT_REMOVE_RECIPIENT 4 /* the recipient in value, in angle brackets, gets no copy */
#define MW_EDIT_HOLD 5             /* keep the message in the host's quarantine; value is a reason */
#define MW_EDIT_REPLACE_BODY 6     /* value is the whole new body, name what is new in it, such as "banner" */
#define MW_EDIT_ADD_RECIPIENT 7    /* the recipient in value, in angle brackets, gets a copy too; name says why: "redirect", or
                                      "copy", of which the sender should hear nothing, not even that it failed */
#define MW_EDIT_CHANGE_SENDER 8    /* the message goes on with the envelope sender in value, in angle brackets */

/* What becomes of the message for a recipient. */
#define MW_DISPOSITION_DELIVER 1
#define MW_DISPOSITION_TAG 2     /* delivered with marks: see the edits */
#define MW_DISPOSITION_HOLD 3    /* kept in the host's quarantine */
#define MW_DISPOSITION_DISCARD 4 /* no copy, and nobody hears of it */
#define MW_DISPOSITION_REJECT 5  /* refused for good */
#define MW_DISPOSITION_DEFER 6   /* refused for now */
#define MW_DISPOSITION_REDIRECT 7 /* no copy; others get it instead: see the edits */
#define MW_DISPOSITION_QUARANTINE 8 /* no copy; the engine has kept it in its own quarantine */

/* What the host can do with a message. A verdict asks for nothing else, and tells what it would have asked for
 * (mw_verdict_not_applied). A banner, a disclaimer and files taken off need MW_HOST_EDIT_HEADER and MW_HOST_REPLACE_BODY: the
 * edits of fields that come with another body belong to it, make all or none. A redirect needs MW_HOST_REMOVE_RECIPIENT and
 * MW_HOST_ADD_RECIPIENT. Edits stand in an order that is safe: recipients are taken off before others are added. */
#define MW_HOST_EDIT_HEADER 1u        /* add, change and remove header fields */
#define MW_HOST_REMOVE_RECIPIENT 2u   /* take a recipient off a message that others get */
#define MW_HOST_HOLD 4u               /* keep a message in a quarantine of its own */
#define MW_HOST_REPLY_BY_RECIPIENT 8u /* answer for each recipient at the end of the message (LMTP, PRDR) */
#define MW_HOST_REPLACE_BODY 16u      /* put another body in place of the one that came */
#define MW_HOST_ADD_RECIPIENT 32u     /* add a recipient */
#define MW_HOST_CHANGE_SENDER 64u     /* send a message on with another envelope sender (BATV) */

/* Classes that are learned, and what became of a message that was. */
#define MW_CLASS_HAM 1
#define MW_CLASS_SPAM 2
#define MW_LEARNT_NEW 1
#define MW_LEARNT_KNOWN 2     /* learned before as the same */
#define MW_LEARNT_CORRECTED 3 /* learned before as the other */
#define MW_LEARNT_EMPTY 4     /* nothing in it to learn */

/* Levels of lines for the log; each holds those above it. */
#define MW_LOG_ERROR 1
#define MW_LOG_WARN 2
#define MW_LOG_INFO 3
#define MW_LOG_DEBUG 4
#define MW_LOG_TRACE 5

/* Bytes with their length. data may be NULL if len is 0. */
typedef struct mw_text {
  const char *data;
  size_t len;
} mw_text_t;

typedef struct mw_engine mw_engine_t;
typedef struct mw_session mw_session_t;
typedef struct mw_verdict mw_verdict_t;
typedef struct mw_error mw_error_t;

/* Structs begin with their size, so that later versions can add members. Begin with the _INIT macro; all members that
 * stay zero mean "not known" or "the default". Where a function takes a pointer to one, NULL means all zero. */
/* DNS of the host. `query` answers one question: for `name`, without a dot at its end and with other bytes than printable
 * ASCII as \DDD, and a type (RFC 1035 section 3.2.2: 1 A, 12 PTR, 15 MX, 16 TXT; RFC 3596: 28 AAAA). It writes the answer
 * as DNS has it on the wire (RFC 1035 section 4), at most `size` bytes, as res_nquery() of the C library or answer_packet
 * of libunbound give it, "no such name" included, and returns its length; 0 or less if there is no answer. It is called on
 * threads of the library, up to 16 at a time, from the first session until the engine and its last session are freed,
 * and must not call the library. What takes longer than timeout_ms is not waited for. Answers are cached. */
typedef struct mw_resolver {
  size_t struct_size;
  int32_t (*query)(void *user, const char *name, uint16_t type, uint8_t *answer, size_t size, uint32_t timeout_ms);
  void *user;
} mw_resolver_t;
#define MW_RESOLVER_INIT { sizeof(mw_resolver_t), NULL, NULL }

typedef struct mw_engine_options {
  size_t struct_size;
  const char *state_dir; /* directory of counters and history, made if need be; NULL keeps them in memory */
  const char *dns_zone;  /* for tests: DNS is answered from this file of "name TYPE value" lines; needs no state_dir */
  const mw_resolver_t *resolver; /* who answers DNS; NULL: [dns] servers of the configuration */
  uint32_t host;         /* what the host can do: MW_HOST_... added up; 0: EDIT_HEADER, REMOVE_RECIPIENT and HOLD */
  int32_t record;        /* 1: sessions keep what they saw, for mw_session_save_recording */
} mw_engine_options_t;
#define MW_ENGINE_OPTIONS_INIT { sizeof(mw_engine_options_t), NULL, NULL, NULL, 0, 0 }

typedef struct mw_connect_facts {
  size_t struct_size;
  mw_text_t client_address;  /* "192.0.2.7" or "2001:db8::7"; without it nothing is judged about the client */
  mw_text_t client_name;     /* host name that the host has verified for it */
  mw_text_t host_name;       /* the receiving host's own name, for Authentication-Results */
  int32_t local_submission;  /* 1: handed in by a program on this host; recipients are not refused then */
} mw_connect_facts_t;
#define MW_CONNECT_FACTS_INIT { sizeof(mw_connect_facts_t), { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, 0 }

typedef struct mw_mail_facts {
  size_t struct_size;
  mw_text_t login;           /* user as whom the client has authenticated: its mail is outbound then */
  mw_text_t login_mechanism; /* "PLAIN" */
  mw_text_t tls_version;     /* "TLSv1.3"; empty if the connection is not encrypted */
  mw_text_t tls_cipher;
} mw_mail_facts_t;
#define MW_MAIL_FACTS_INIT { sizeof(mw_mail_facts_t), { NULL, 0 }, { NULL, 0 }, { NULL, 0 }, { NULL, 0 } }

/* Each function below tells four facts: who owns what, whether it blocks, which threads may call it, what it returns. */

/* Tells the interface of the library that runs; compare it with MW_ABI_VERSION.
 * Owner: nothing. Blocks: never. Thread: any. Returns: the number. */
uint32_t mw_abi_version(void);

/* Tells the version of the library that runs, as in MW_VERSION.
 * Owner: the text belongs to the library. Blocks: never. Thread: any. Returns: the text, ended by NUL. */
const char *mw_version(void);

/* Writes a line of the library to the host's log; `text` lives until it returns. It is called on any thread, several at
 * a time, and must not call the library. */
typedef void (*mw_log_fn)(void *user, int32_t level, mw_text_t text);

/* Says where lines of the library go, for the whole process, and up to which level; NULL: nowhere, as before the first
 * call. It holds for engines that are open, too.
 * Owner: `user` stays the caller's, and in use until another call. Blocks: never. Thread: any.
 * Returns: MW_OK, or MW_E_ARGUMENT if the level is not one of MW_LOG_... or 0. */
mw_status_t mw_log_set(mw_log_fn on_log, void *user, int32_t level, mw_error_t **err);

/* Opens an engine with the configuration in the file `config`, or with the built-in defaults if that is NULL.
 * Owner: the caller owns *out; mw_engine_free. Blocks: while files are read and rules compiled.
 * Thread: any. Returns: MW_OK, MW_E_ARGUMENT, MW_E_CONFIG, MW_E_SYSTEM or MW_E_PANIC. */
mw_status_t mw_engine_open(const char *config, const mw_engine_options_t *options, mw_engine_t **out,
                           mw_error_t **err);

/* Opens an engine with a configuration that is given as TOML text.
 * Owner: the caller owns *out; mw_engine_free. Blocks: while rules are compiled. Thread: any.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_CONFIG, MW_E_SYSTEM or MW_E_PANIC. */
mw_status_t mw_engine_open_text(mw_text_t config, const mw_engine_options_t *options, mw_engine_t **out,
                                mw_error_t **err);

/* Reads the configuration file again and puts it in force. Sessions that are open keep the one they began with; with
 * faults, and for state_dir, host and resolver, all stays as it was.
 * Owner: nothing. Blocks: while files are read and rules compiled; sessions go on meanwhile.
 * Thread: any. Returns: MW_OK, MW_E_ARGUMENT, MW_E_ORDER (not opened with a file), MW_E_CONFIG, MW_E_FORKED or
 * MW_E_PANIC. */
mw_status_t mw_engine_reload(const mw_engine_t *engine, mw_error_t **err);

/* The same with a configuration that is given as text.
 * Owner: nothing. Blocks: while rules are compiled. Thread: any.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_CONFIG, MW_E_FORKED or MW_E_PANIC. */
mw_status_t mw_engine_reload_text(const mw_engine_t *engine, mw_text_t config, mw_error_t **err);

/* Teaches the classifier of the state directory one message, header and body, as MW_CLASS_HAM or MW_CLASS_SPAM. Learning
 * the same again changes nothing; learning it as the other corrects it. `outcome` may be NULL; else *outcome is one of
 * MW_LEARNT_... For piles of mail "mailward learn" is faster: it saves the model once.
 * Owner: nothing. Blocks: while the model is read and written. Thread: any; one learner at a time on a host.
 * Returns: MW_OK, MW_E_ARGUMENT (no state_dir, no such class), MW_E_SYSTEM (another learner is at work, the disk is full),
 * MW_E_FORKED or MW_E_PANIC. */
mw_status_t mw_engine_learn(const mw_engine_t *engine, int32_t as_class, mw_text_t message, int32_t *outcome,
                            mw_error_t **err);

/* Is handed one verdict after another; it belongs to the library, and lives until the function returns. */
typedef void (*mw_verdict_fn)(void *user, const mw_verdict_t *verdict);

/* Judges a recorded session again, of whichever door, with the answers that its lookups gave: what "mailward check FILE"
 * does. `on_verdict` is called on the caller's thread for each message, and for each transaction of which nothing came
 * because something was refused. The engine must keep its state in memory.
 * Owner: `user` stays the caller's. Blocks: up to [deadlines] message for each message. Thread: any.
 * Returns: MW_OK, MW_E_ARGUMENT (also: a state_dir), MW_E_SYSTEM (no such file, or no recording), MW_E_FORKED or
 * MW_E_PANIC. */
mw_status_t mw_engine_replay(const mw_engine_t *engine, const char *file, mw_verdict_fn on_verdict, void *user,
                             mw_error_t **err);

/* Frees an engine. Its sessions go on; the last of them ends its threads.
 * Owner: takes it; NULL is allowed. Blocks: until history is written and lookups have ended, if no session is left.
 * Thread: any, but no other call on the engine may be under way. Returns: nothing. */
void mw_engine_free(mw_engine_t *engine);

/* Opens a session: a client has connected. Its address is looked up while it sends its next commands.
 * Owner: the caller owns *out; mw_session_free. Blocks: for a moment. Thread: any, many at a time on one engine.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_SYSTEM, MW_E_FORKED or MW_E_PANIC. */
mw_status_t mw_session_open(const mw_engine_t *engine, const mw_connect_facts_t *facts, mw_session_t **out,
                            mw_error_t **err);

/* Tells the name of HELO or EHLO; the last one counts.
 * Owner: nothing. Blocks: never. Thread: one at a time.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_FORKED, MW_E_PANIC or MW_E_POISONED. */
mw_status_t mw_session_helo(mw_session_t *session, mw_text_t name, mw_error_t **err);

/* Begins a transaction with the sender of MAIL, with or without angle brackets; "<>" is the null sender.
 * Owner: *refusal is NULL if the sender is taken, else a verdict that the caller owns; mw_verdict_free.
 * Blocks: up to [deadlines] reply of the configuration. Thread: one at a time.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_ORDER (a transaction is open), MW_E_FORKED, MW_E_PANIC or MW_E_POISONED. */
mw_status_t mw_session_mail(mw_session_t *session, mw_text_t sender, const mw_mail_facts_t *facts,
                            mw_verdict_t **refusal, mw_error_t **err);

/* Adds a recipient of RCPT, with or without angle brackets.
 * Owner: *refusal is NULL if the recipient is taken, else a verdict that the caller owns; mw_verdict_free.
 * Blocks: up to [deadlines] reply of the configuration. Thread: one at a time.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_ORDER (no transaction, or its message has begun), MW_E_FORKED, MW_E_PANIC or
 * MW_E_POISONED. */
mw_status_t mw_session_rcpt(mw_session_t *session, mw_text_t recipient, mw_verdict_t **refusal, mw_error_t **err);

/* Adds a piece of the message, cut anywhere: header, empty line and body as on the wire, with CRLF line ends, but without
 * the dots of SMTP's transparency and without a Received field of the receiving host itself. What exceeds [limits] of
 * the configuration is not kept; the verdict says so.
 * Owner: the bytes are copied. Blocks: never. Thread: one at a time.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_ORDER (no recipient was taken), MW_E_FORKED, MW_E_PANIC or MW_E_POISONED. */
mw_status_t mw_session_write(mw_session_t *session, mw_text_t piece, mw_error_t **err);

/* Judges the message and ends the transaction. `queue_id` names the message in the history and may be empty.
 * Owner: the caller owns *out, which does not depend on the session; mw_verdict_free.
 * Blocks: up to [deadlines] message of the configuration. Thread: one at a time.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_ORDER (no recipient was taken), MW_E_FORKED, MW_E_PANIC or MW_E_POISONED. */
mw_status_t mw_session_end_of_message(mw_session_t *session, mw_text_t queue_id, mw_verdict_t **out, mw_error_t **err);

/* The two calls above in one, for a host that has the message at once.
 * Owner: the caller owns *out; mw_verdict_free. The bytes are copied. Blocks: up to [deadlines] message. Thread: one at a
 * time. Returns: as mw_session_end_of_message. */
mw_status_t mw_session_message(mw_session_t *session, mw_text_t message, mw_text_t queue_id, mw_verdict_t **out,
                               mw_error_t **err);

/* Writes what the session saw so far, with all answers of lookups and all explanations, to a file. "mailward check FILE"
 * and mw_engine_replay then give the same verdicts again. It holds the mail itself: a new file is its owner's alone.
 * Owner: nothing. Blocks: while the file is written. Thread: one at a time.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_ORDER (the engine does not record), MW_E_SYSTEM, MW_E_FORKED, MW_E_PANIC or
 * MW_E_POISONED. */
mw_status_t mw_session_save_recording(mw_session_t *session, const char *file, mw_error_t **err);

/* Drops the transaction, if one is open: RSET, a new HELO, a message that the host refuses itself.
 * Owner: `report` may be NULL; else *report is NULL if nothing was refused in the transaction, or a verdict that explains
 * it and that the caller owns; mw_verdict_free. Blocks: up to [deadlines] reply. Thread: one at a time.
 * Returns: MW_OK, MW_E_ARGUMENT, MW_E_FORKED, MW_E_PANIC or MW_E_POISONED. */
mw_status_t mw_session_reset(mw_session_t *session, mw_verdict_t **report, mw_error_t **err);

/* Frees a session: the connection has ended, and with it an open transaction.
 * Owner: takes it; NULL is allowed. Blocks: as mw_session_reset; as mw_engine_free if the engine was freed before.
 * Thread: one at a time. Returns: nothing. */
void mw_session_free(mw_session_t *session);

/* All functions that tell about a verdict. Owner: texts belong to the verdict. Blocks: never. Thread: any, many at a
 * time. Returns: what is told; of NULL the action "reply" with code 451, else zero and empty texts. */

int32_t mw_verdict_action(const mw_verdict_t *verdict);        /* MW_ACTION_... */
int32_t mw_verdict_code(const mw_verdict_t *verdict);          /* reply code: 250 for accept and discard */
mw_text_t mw_verdict_enhanced(const mw_verdict_t *verdict);    /* enhanced status code, "5.7.1" */
mw_text_t mw_verdict_text(const mw_verdict_t *verdict);        /* text of the reply, one line; empty unless "reply" */
mw_text_t mw_verdict_reference(const mw_verdict_t *verdict);   /* finds the decision in the history */
uint32_t mw_verdict_delay_ms(const mw_verdict_t *verdict);     /* how long to wait before the reply (tarpit) */
mw_text_t mw_verdict_explanation(const mw_verdict_t *verdict); /* JSON, as "mailward check --json" prints it; empty for
                                                                  the answer to MAIL and RCPT (see mw_session_reset) */

/* Edits by index, from 0. Past the last, the kind is 0. Folds in fields are LF and a blank, without CR; a body has CRLF
 * and ends with it. */
size_t mw_verdict_edit_count(const mw_verdict_t *verdict);
int32_t mw_verdict_edit_kind(const mw_verdict_t *verdict, size_t index);        /* MW_EDIT_... */
mw_text_t mw_verdict_edit_name(const mw_verdict_t *verdict, size_t index);      /* field name, see the kinds, or empty */
mw_text_t mw_verdict_edit_value(const mw_verdict_t *verdict, size_t index);     /* see the kinds */
uint32_t mw_verdict_edit_occurrence(const mw_verdict_t *verdict, size_t index); /* from 1; 0 where there is none */

/* Recipients of a message by index, from 0, in the order of mw_session_rcpt: those that were taken there. */
size_t mw_verdict_recipient_count(const mw_verdict_t *verdict);
mw_text_t mw_verdict_recipient_address(const mw_verdict_t *verdict, size_t index);     /* without angle brackets */
int32_t mw_verdict_recipient_disposition(const mw_verdict_t *verdict, size_t index);   /* MW_DISPOSITION_... */
int32_t mw_verdict_recipient_wanted(const mw_verdict_t *verdict, size_t index);        /* what policies ask for */
mw_text_t mw_verdict_recipient_because(const mw_verdict_t *verdict, size_t index);     /* what decided */
int32_t mw_verdict_recipient_code(const mw_verdict_t *verdict, size_t index);          /* 250, 4xx or 5xx: for hosts with */
mw_text_t mw_verdict_recipient_enhanced(const mw_verdict_t *verdict, size_t index);    /* MW_HOST_REPLY_BY_RECIPIENT; for */
mw_text_t mw_verdict_recipient_text(const mw_verdict_t *verdict, size_t index);        /* others that of the message */

/* Findings by index, from 0, sorted by name. Points are hundredths: 260 is 2.60. */
int32_t mw_verdict_points(const mw_verdict_t *verdict);                             /* their sum */
size_t mw_verdict_finding_count(const mw_verdict_t *verdict);
mw_text_t mw_verdict_finding_id(const mw_verdict_t *verdict, size_t index);         /* "spf.fail" */
int32_t mw_verdict_finding_points(const mw_verdict_t *verdict, size_t index);
mw_text_t mw_verdict_finding_evidence(const mw_verdict_t *verdict, size_t index);   /* what was seen; may be empty */

/* What the verdict would ask for as well if the host could do it, in words, by index from 0. */
size_t mw_verdict_not_applied_count(const mw_verdict_t *verdict);
mw_text_t mw_verdict_not_applied(const mw_verdict_t *verdict, size_t index);

/* The explanation for people, several lines; empty where the JSON is. */
mw_text_t mw_verdict_explanation_text(const mw_verdict_t *verdict);

/* Frees a verdict.
 * Owner: takes it; NULL is allowed. Blocks: never. Thread: any, if no other reads it. Returns: nothing. */
void mw_verdict_free(mw_verdict_t *verdict);

/* Tells what went wrong, in words for a log; several lines if several things did.
 * Owner: the text belongs to the error. Blocks: never. Thread: any. Returns: the text; of NULL the empty text. */
mw_text_t mw_error_message(const mw_error_t *error);

/* Frees an error.
 * Owner: takes it; NULL is allowed. Blocks: never. Thread: any, if no other reads it. Returns: nothing. */
void mw_error_free(mw_error_t *error);

#ifdef __cplusplus
}
#endif

#endif
