/* What this process keeps of its connection: settings, engine, session. */
#include "plugin.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

mw_session_t *session;
int accept_unchecked;
int told_settings;
int in_transaction;
int unsaved;

/* The settings, from the arguments of mailward_connect. */
static char *config_file;
static char *state_dir;
static char *record_dir; /* where connections are recorded; NULL: nowhere */
static int prepared;     /* the daemon has opened the engine with these settings */

static mw_engine_t *engine;
static int engine_failed;  /* the configuration is not tried again in this process, nor logged again */
static char recording[64]; /* name of the session's recording */

/* What the library has to say comes on its own threads, and Exim's log takes lines of Exim's thread only: here they wait,
 * each ended by NUL. */
static pthread_mutex_t lines_lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[8192];
static size_t lines_len;
static int lines_left_out;

static void keep_line(void *user, int32_t level, mw_text_t text) {
  (void)user;
  (void)level;
  pthread_mutex_lock(&lines_lock);
  if (text.len < sizeof lines - lines_len) {
    memcpy(lines + lines_len, text.data, text.len);
    lines_len += text.len;
    lines[lines_len++] = '\0';
  } else {
    lines_left_out++;
  }
  pthread_mutex_unlock(&lines_lock);
}

/* Writes a text to Exim's log, in one line. */
static void log_line(const char *what, uschar *words) {
  uschar *at;
  for (at = words; *at; at++) {
    if (*at == '\n') {
      *at = ' ';
    }
  }
  log_write(0, LOG_MAIN, "mailward: %s%s", what, words);
}

/* Writes the lines that wait to Exim's log. */
static void write_lines(void) {
  char *waiting;
  size_t len, at;
  int left_out;
  pthread_mutex_lock(&lines_lock);
  len = lines_len;
  left_out = lines_left_out;
  waiting = len ? malloc(len) : NULL;
  if (waiting) {
    memcpy(waiting, lines, len);
  }
  lines_len = 0;
  lines_left_out = 0;
  pthread_mutex_unlock(&lines_lock);
  for (at = 0; waiting && at < len; at += strlen(waiting + at) + 1) {
    log_line("", US(waiting + at));
  }
  free(waiting);
  if (left_out) {
    log_write(0, LOG_MAIN, "mailward: %d more lines are left out", left_out);
  }
}

mw_text_t text_of(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = words ? strlen(words) : 0;
  return text;
}

/* A copy for Exim, which frees it with the message. */
uschar *copy(mw_text_t text) {
  return string_copyn(CUS(text.len ? text.data : ""), (int)text.len);
}

/* The value of one of Exim's variables, "" if it has none. */
const char *variable(const char *name) {
  uschar *value = expand_string(string_copy(CUS name));
  return value ? CCS value : "";
}

/* Whether the call went well; else the log says why. A session that has gone bad is given up, and the next MAIL opens
 * another. It takes the address of the error, because C may look at one argument before it makes the call that is
 * another. */
int went_well(mw_status_t status, mw_error_t **error, const char *what) {
  write_lines();
  if (status == MW_OK) {
    return 1;
  }
  log_line(CCS string_sprintf("%s failed (status %d): ", what, (int)status), copy(mw_error_message(*error)));
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
uschar *trouble(void) {
  if (accept_unchecked) {
    log_write(0, LOG_MAIN, "mailward: goes on unchecked");
    return US"";
  }
  return US UNAVAILABLE;
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
  (void)went_well(mw_log_set(keep_line, NULL, MW_LOG_WARN, &error), &error, "the library's log");
  /* The body is in Exim's spool file, which is not the plugin's to write. */
  options.host = MW_HOST_EDIT_HEADER | MW_HOST_REMOVE_RECIPIENT | MW_HOST_ADD_RECIPIENT | MW_HOST_HOLD;
  options.state_dir = host_checking ? NULL : state_dir; /* "exim -bh" leaves no traces */
  options.record = record_dir && !host_checking;
  status = mw_engine_open(config_file, &options, &engine, &error);
  engine_failed = !went_well(status, &error, "opening the engine");
  return !engine_failed;
}

/* Opens a session for this connection. Threads begin here: signals stay with Exim's own, which relies on them for its
 * timeouts. */
int open_session(void) {
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
void save_recording(void) {
  mw_error_t *error = NULL;
  const char *file;
  if (!session || !record_dir || host_checking || !unsaved) {
    return;
  }
  unsaved = 0;
  file = CCS string_sprintf("%s/%s", record_dir, recording);
  (void)went_well(mw_session_save_recording(session, file, &error), &error, "the recording");
}

/* The connection has ended. What history has not written yet is written now. */
void close_all(void) {
  if (session) {
    (void)reset();
    save_recording();
  }
  mw_session_free(session);
  mw_engine_free(engine);
  session = NULL;
  engine = NULL;
  write_lines();
  forget_recipients();
  in_transaction = 0;
}

/* Mail that comes without SMTP is one message: the process ends after it, and tells no ACL. */
void close_unless_smtp(void) {
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

/* Opens the engine in the daemon, before it forks. */
void prepare(uschar *config, uschar *state, uschar *record) {
  told_settings = set_settings(config, state, record);
  prepared = told_settings && open_engine();
}

/* Begins with a client: with what the daemon has prepared, if that was for the same settings. */
void connect_client(uschar *config, uschar *state, uschar *record) {
  if (!prepared || !are_settings(config, state, record)) {
    close_all();
    engine_failed = !set_settings(config, state, record);
  }
  told_settings = 1;
  (void)open_session();
}
