/* Judges one message from standard input with the program's own DNS: here that of the C library, res_nquery(), which reads
 * /etc/resolv.conf; a mail server with a resolver of its own hands that over the same way.
 *
 *   cc -I ffi/include examples/c/own_resolver.c -L target/first-look -lmailward -lresolv -o own_resolver
 *   LD_LIBRARY_PATH=target/first-look ./own_resolver CLIENT-ADDRESS SENDER RECIPIENT [DNS-ADDRESS DNS-PORT] < message
 *
 * The message has CRLF line ends, as on the wire. Exit status: 0 accepted, 1 discarded, refused or deferred, 2 a fault. */
#define _DEFAULT_SOURCE
#include <sys/types.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <mailward.h>
#include <netinet/in.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which server is asked; port 0: those of the system. */
struct server {
  struct in_addr address;
  unsigned short port;
};

/* Called on threads of the library, several at a time: each call has a state of its own. */
static int32_t query(void *user, const char *name, uint16_t type, uint8_t *answer, size_t size, uint32_t timeout_ms) {
  const struct server *server = user;
  struct __res_state state;
  int len;
  memset(&state, 0, sizeof state);
  if (res_ninit(&state) != 0) {
    return -1;
  }
  state.retry = 1;
  state.retrans = timeout_ms < 1000 ? 1 : (int)(timeout_ms / 1000);
  if (server->port != 0) {
    state.nscount = 1;
    state.nsaddr_list[0].sin_family = AF_INET;
    state.nsaddr_list[0].sin_addr = server->address;
    state.nsaddr_list[0].sin_port = htons(server->port);
  }
  /* "No such name" is an answer, too: res_nsend() gives it, res_nquery() does not. */
  len = res_nmkquery(&state, ns_o_query, name, ns_c_in, type, NULL, 0, NULL, answer, (int)size);
  if (len > 0) {
    unsigned char question[512];
    if ((size_t)len > sizeof question) {
      len = -1;
    } else {
      memcpy(question, answer, (size_t)len);
      len = res_nsend(&state, question, len, answer, (int)size);
    }
  }
  res_nclose(&state);
  return len;
}

static mw_text_t text(const char *words) {
  mw_text_t text;
  text.data = words;
  text.len = strlen(words);
  return text;
}

/* Ends the program unless the call went well. */
static void must(mw_status_t status, mw_error_t *const *error) {
  if (status != MW_OK) {
    mw_text_t message = mw_error_message(*error);
    fprintf(stderr, "own_resolver: %.*s (status %d)\n", (int)message.len, message.data, (int)status);
    exit(2);
  }
}

static int finish(mw_verdict_t *verdict) {
  mw_text_t why = mw_verdict_explanation_text(verdict);
  int accepted = mw_verdict_action(verdict) == MW_ACTION_ACCEPT;
  printf("%d\n", (int)mw_verdict_code(verdict));
  fwrite(why.data, 1, why.len, stdout);
  mw_verdict_free(verdict);
  return accepted ? 0 : 1;
}

static char message[10 << 20];

int main(int argc, char **argv) {
  struct server server;
  mw_resolver_t resolver = MW_RESOLVER_INIT;
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
  mw_engine_t *engine = NULL;
  mw_session_t *session = NULL;
  mw_verdict_t *verdict = NULL;
  mw_error_t *error = NULL;
  mw_text_t whole;
  memset(&server, 0, sizeof server);
  if (argc != 4 && argc != 6) {
    fprintf(stderr, "usage: own_resolver CLIENT-ADDRESS SENDER RECIPIENT [DNS-ADDRESS DNS-PORT] < message\n");
    return 2;
  }
  if (argc == 6) {
    server.port = (unsigned short)atoi(argv[5]);
    if (inet_pton(AF_INET, argv[4], &server.address) != 1 || server.port == 0) {
      fprintf(stderr, "own_resolver: %s port %s is no server\n", argv[4], argv[5]);
      return 2;
    }
  }
  whole.data = message;
  whole.len = fread(message, 1, sizeof message, stdin);

  resolver.query = query;
  resolver.user = &server;
  options.resolver = &resolver;
  must(mw_engine_open(NULL, &options, &engine, &error), &error);
  facts.client_address = text(argv[1]);
  must(mw_session_open(engine, &facts, &session, &error), &error);
  must(mw_session_mail(session, text(argv[2]), NULL, &verdict, &error), &error);
  if (verdict == NULL) {
    must(mw_session_rcpt(session, text(argv[3]), &verdict, &error), &error);
  }
  if (verdict == NULL) {
    must(mw_session_message(session, whole, text(""), &verdict, &error), &error);
  }
  mw_session_free(session);
  mw_engine_free(engine);
  return finish(verdict);
}
