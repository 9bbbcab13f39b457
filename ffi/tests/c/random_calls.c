/* Random calls with random bytes, in any order: every call gives one of the statuses that may come, none crashes. Arguments: seed,
 * seconds. The same seed makes the same calls. */
#define _POSIX_C_SOURCE 200809L
#include <mailward.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state;

/* xorshift64* (Vigna 2016). */
static uint32_t number(uint32_t below) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return (uint32_t)((state * 2685821657736338717ULL) >> 33) % below;
}

static char bytes[1 << 16];

/* A text of any kind: words of mail, noise, NULL, or a length without bytes. */
static mw_text_t any(void) {
  static const char *const words[] = {
      "<a@example.net>", "b@example.com", "<>", "postmaster", "<@x:y@z>", "\xff\xfe", "192.0.2.7", "::1", "mx.example.net",
      "From: a@example.net\r\nSubject: x\r\n\r\nhello\r\n", "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n",
      "\r\n", "\r\n\r\n", "DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s; h=from; bh=; b=\r\n", "--x--",
      "Content-Transfer-Encoding: base64\r\n\r\nUEsDBBQAAAAA", "=?utf-8?B?4oCu?= ", "http://example.com/", "[score]\ntag = 5\n",
      "[[policy]]\nname = \"x\"\nthen = \"reject\"\n", "[spam]\nenabled = false\n", "[limits]\nmessage_bytes = 5\n"};
  mw_text_t text;
  uint32_t kind = number(16), at;
  text.data = bytes;
  if (kind == 0) {
    text.data = NULL;
    text.len = number(3);
  } else if (kind < 4) {
    text.len = number(1u << number(17));
    for (at = 0; at < text.len; at++) {
      bytes[at] = (char)(kind == 1 ? number(256) : 32 + number(96));
    }
  } else {
    text.data = words[number(sizeof words / sizeof words[0])];
    text.len = strlen(text.data);
    text.len = number(8) == 0 ? number((uint32_t)text.len + 1) : text.len;
  }
  return text;
}

static unsigned long calls = 0;

static void may_be(mw_status_t status, const char *call) {
  calls++;
  if (status != MW_OK && status != MW_E_ARGUMENT && status != MW_E_CONFIG && status != MW_E_ORDER) {
    printf("%s gave %d in call %lu\n", call, (int)status, calls);
    exit(1);
  }
}
#define MAY(call) may_be((call), #call)

/* Reads all that a verdict tells, one index too far. */
static void read_all(const mw_verdict_t *verdict) {
  size_t i, seen = mw_verdict_enhanced(verdict).len + mw_verdict_text(verdict).len + mw_verdict_reference(verdict).len +
                   mw_verdict_explanation(verdict).len + mw_verdict_explanation_text(verdict).len;
  for (i = 0; i <= mw_verdict_edit_count(verdict); i++) {
    seen += mw_verdict_edit_name(verdict, i).len + mw_verdict_edit_value(verdict, i).len +
            mw_verdict_edit_occurrence(verdict, i) + (size_t)mw_verdict_edit_kind(verdict, i);
  }
  for (i = 0; i <= mw_verdict_recipient_count(verdict); i++) {
    seen += mw_verdict_recipient_address(verdict, i).len + (size_t)mw_verdict_recipient_code(verdict, i) +
            mw_verdict_recipient_text(verdict, i).len + mw_verdict_recipient_because(verdict, i).len;
  }
  for (i = 0; i <= mw_verdict_finding_count(verdict); i++) {
    seen += mw_verdict_finding_id(verdict, i).len + mw_verdict_finding_evidence(verdict, i).len;
  }
  for (i = 0; i <= mw_verdict_not_applied_count(verdict); i++) {
    seen += mw_verdict_not_applied(verdict, i).len;
  }
  calls += seen & 0; /* all of it was read */
}

static mw_engine_t *engine = NULL;
#define SESSIONS 4
static mw_session_t *sessions[SESSIONS];

static mw_engine_t *opened(const char *zone) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_engine_t *out = NULL;
  options.dns_zone = zone;
  options.host = number(16);
  options.record = (int32_t)number(2);
  if (mw_engine_open(NULL, &options, &out, NULL) != MW_OK) {
    exit(1);
  }
  return out;
}

static void one(const char *zone) {
  mw_session_t **session = &sessions[number(SESSIONS)];
  mw_verdict_t *verdict = NULL;
  mw_error_t *error = NULL, **err = number(2) ? &error : NULL;
  mw_connect_facts_t connect = MW_CONNECT_FACTS_INIT;
  mw_mail_facts_t mail = MW_MAIL_FACTS_INIT;
  switch (number(24)) {
    case 0:
      mw_session_free(*session);
      *session = NULL;
      break;
    case 1:
    case 2:
      if (*session == NULL) {
        connect.client_address = any();
        connect.client_name = any();
        connect.host_name = any();
        connect.local_submission = (int32_t)number(2);
        MAY(mw_session_open(engine, number(4) ? &connect : NULL, session, err));
      }
      break;
    case 3:
      MAY(mw_session_helo(*session, any(), err));
      break;
    case 4:
    case 5:
    case 6:
    case 7:
      mail.login = number(8) ? mail.login : any();
      mail.tls_version = number(4) ? mail.tls_version : any();
      MAY(mw_session_mail(*session, any(), number(2) ? &mail : NULL, &verdict, err));
      break;
    case 8:
    case 9:
    case 10:
    case 11:
      MAY(mw_session_rcpt(*session, any(), number(16) ? &verdict : NULL, err));
      break;
    case 12:
    case 13:
    case 14:
    case 15:
      MAY(mw_session_write(*session, any(), err));
      break;
    case 16:
    case 17:
      MAY(mw_session_end_of_message(*session, any(), number(16) ? &verdict : NULL, err));
      break;
    case 18:
    case 19:
      MAY(mw_session_message(*session, any(), any(), &verdict, err));
      break;
    case 20:
      MAY(mw_session_reset(*session, number(2) ? &verdict : NULL, err));
      break;
    case 21:
      MAY(mw_engine_learn(engine, (int32_t)number(4), any(), NULL, err));
      break;
    case 22:
      if (number(50) == 0) {
        MAY(mw_engine_reload_text(engine, any(), err));
      }
      break;
    default:
      if (number(200) == 0) { /* sessions outlive their engine */
        mw_engine_free(engine);
        engine = opened(zone);
      }
  }
  read_all(verdict);
  mw_verdict_free(verdict);
  (void)mw_error_message(error);
  mw_error_free(error);
}

int main(int argc, char **argv) {
  struct timespec now, started;
  int i;
  if (argc != 4) {
    return 2;
  }
  state = strtoull(argv[1], NULL, 10) * 2 + 1;
  clock_gettime(CLOCK_MONOTONIC, &started);
  engine = opened(argv[3]);
  do {
    for (i = 0; i < 64; i++) {
      one(argv[3]);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - started.tv_sec < atoi(argv[2]));
  for (i = 0; i < SESSIONS; i++) {
    mw_session_free(sessions[i]);
  }
  mw_engine_free(engine);
  printf("%lu calls\n", calls);
  return 0;
}
