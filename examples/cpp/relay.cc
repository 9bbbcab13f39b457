// A minimal SMTP relay with a thread for each connection, which embeds the engine by mailward.hpp: it takes mail on one port of
// the loopback address, judges it, and hands on what is good to another port before it answers. It shows where each call goes
// in a server; it is no mail server (no queue, no TLS, no limits on connections).
//
//   c++ -std=c++11 -pthread -I ffi/include examples/cpp/relay.cc -L target/first-look -lmailward -o relay
//   LD_LIBRARY_PATH=target/first-look ./relay 2525 25 mailward.toml /var/tmp/relay-state
//
// It cannot hold messages, and says so to the engine: what a policy would hold is delivered, and the log tells.
#include <mailward.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

const std::size_t kLineBytes = 64 << 10;
const std::size_t kMessageBytes = 50 << 20;

// The other side is gone, or talks no SMTP.
struct Gone {};

sockaddr_in loopback(int port) {
  sockaddr_in address = sockaddr_in();
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// A socket, line by line.
class Wire {
 public:
  explicit Wire(int socket) : socket_(socket) {}
  ~Wire() { close(socket_); }
  Wire(const Wire &) = delete;
  Wire &operator=(const Wire &) = delete;

  // Without its CRLF.
  std::string line() {
    for (;;) {
      std::size_t end = held_.find('\n');
      if (end != std::string::npos) {
        std::string line = held_.substr(0, end);
        held_.erase(0, end + 1);
        if (!line.empty() && line.back() == '\r') {
          line.pop_back();
        }
        return line;
      }
      char piece[16384];
      ssize_t got = recv(socket_, piece, sizeof piece, 0);
      if (got <= 0 || held_.size() > kLineBytes) {
        throw Gone();
      }
      held_.append(piece, static_cast<std::size_t>(got));
    }
  }

  void say(const std::string &words) { send_all(words + "\r\n"); }

  void send_all(const std::string &bytes) {
    for (std::size_t at = 0; at < bytes.size();) {
      ssize_t sent = send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) {
        throw Gone();
      }
      at += static_cast<std::size_t>(sent);
    }
  }

  // The code of a reply of one or more lines; 0 if it is none.
  int reply() {
    std::string last = line();
    while (last.size() > 3 && last[3] == '-') {
      last = line();
    }
    return std::atoi(last.c_str());
  }

 private:
  int socket_;
  std::string held_;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return text;
}

// Folds come as LF and a blank.
std::string field(const std::string &name, const std::string &value) {
  std::string out = name + ": ";
  for (char c : value) {
    out += c == '\n' ? std::string("\r\n") : std::string(1, c);
  }
  return out + "\r\n";
}

// The message with the edits of the verdict made; `recipients` loses whom they take off and gains whom they add, and `sender`
// may become another.
std::string edited(const std::string &message, const mailward::Verdict &verdict, std::string &sender,
                   std::vector<std::string> &recipients) {
  std::size_t end = message.compare(0, 2, "\r\n") == 0 ? 0 : message.find("\r\n\r\n");
  end = end == std::string::npos ? message.size() : end == 0 ? 0 : end + 2;
  // Fields as they came, with their folded lines; an edit makes one empty or another.
  std::vector<std::string> fields;
  for (std::size_t at = 0; at < end;) {
    std::size_t next = message.find("\r\n", at);
    next = next == std::string::npos ? end : next + 2;
    bool folded = (message[at] == ' ' || message[at] == '\t') && !fields.empty();
    if (folded) {
      fields.back().append(message, at, next - at);
    } else {
      fields.push_back(message.substr(at, next - at));
    }
    at = next;
  }
  const std::vector<std::string> came = fields;
  std::string above, body = message.substr(end);
  for (std::size_t i = 0; i < verdict.edit_count(); i++) {
    mailward::Verdict::Edit edit = verdict.edit(i);
    if (edit.kind == MW_EDIT_ADD_HEADER) {
      above = field(edit.name, edit.value) + above;
    } else if (edit.kind == MW_EDIT_REPLACE_BODY) {
      body = "\r\n" + edit.value;
    } else if (edit.kind == MW_EDIT_CHANGE_SENDER) {
      sender = edit.value;
    } else if (edit.kind == MW_EDIT_REMOVE_RECIPIENT) {
      recipients.erase(std::remove(recipients.begin(), recipients.end(), edit.value), recipients.end());
    } else if (edit.kind == MW_EDIT_ADD_RECIPIENT) {
      recipients.push_back(edit.value);
    } else {
      unsigned seen = 0;
      for (std::size_t f = 0; f < came.size(); f++) {
        std::string name = lower(came[f].substr(0, came[f].find(':')));
        name.erase(name.find_last_not_of(" \t") + 1);
        if (name == lower(edit.name) && ++seen == edit.occurrence) {
          fields[f] = edit.kind == MW_EDIT_CHANGE_HEADER ? field(edit.name, edit.value) : std::string();
        }
      }
    }
  }
  std::string out = above;
  for (const std::string &one : fields) {
    out += one;
  }
  return out + body;
}

// Hands a message to the next server; whether that took it.
bool hand_on(int port, const std::string &sender, const std::vector<std::string> &recipients,
             const std::string &message) {
  int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback(port);
  if (socket < 0 || connect(socket, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0) {
    if (socket >= 0) {
      close(socket);
    }
    return false;
  }
  Wire next(socket);
  auto says = [&next](const std::string &command, int wanted) {
    next.say(command);
    return next.reply() / 100 == wanted;
  };
  if (next.reply() / 100 != 2 || !says("EHLO relay.example", 2) || !says("MAIL FROM:" + sender, 2)) {
    return false;
  }
  for (const std::string &recipient : recipients) {
    if (!says("RCPT TO:" + recipient, 2)) {
      return false;
    }
  }
  if (!says("DATA", 3)) {
    return false;
  }
  std::string stuffed;
  for (std::size_t at = 0; at < message.size();) {
    std::size_t end = message.find("\r\n", at);
    end = end == std::string::npos ? message.size() : end + 2;
    if (message[at] == '.') {
      stuffed += '.';
    }
    stuffed.append(message, at, end - at);
    at = end;
  }
  if (stuffed.size() < 2 || stuffed.compare(stuffed.size() - 2, 2, "\r\n") != 0) {
    stuffed += "\r\n";
  }
  next.send_all(stuffed);
  return says(".", 2);
}

// One client.
class Connection {
 public:
  Connection(int socket, const std::string &address, const mailward::Engine &engine, int next_port)
      : client_(socket), session_(opened(engine, address)), next_port_(next_port) {}

  void serve() {
    client_.say("220 relay.example");
    for (;;) {
      std::string command = client_.line();
      std::string verb = lower(command.substr(0, 4));
      if (verb == "quit") {
        client_.say("221 2.0.0 Bye");
        return;
      }
      try {
        answer(verb, command);
      } catch (const mailward::Error &error) {
        // Nothing of the client's doing: it may try again.
        std::cerr << "relay: " << error.what() << " (status " << error.status() << ")\n";
        client_.say("451 4.3.0 Temporary failure, please try again later");
      }
    }
  }

 private:
  static mailward::Session opened(const mailward::Engine &engine, const std::string &address) {
    mw_connect_facts_t facts = MW_CONNECT_FACTS_INIT;
    facts.client_address = mailward::text(address);
    return mailward::Session(engine, &facts);
  }

  void refuse(const mailward::Verdict &verdict) {
    if (verdict.delay_ms() > 0) {
      usleep(verdict.delay_ms() * 1000);
    }
    client_.say(std::to_string(verdict.code()) + " " + verdict.enhanced() + " " + verdict.text());
    if (verdict.code() == 421) {
      throw Gone();
    }
  }

  // "<a@example.net>" of a command such as "MAIL FROM:<a@example.net> SIZE=5".
  static std::string path(const std::string &command) {
    std::size_t start = command.find('<'), end = command.find('>');
    return start == std::string::npos || end == std::string::npos || end < start ? std::string()
                                                                                 : command.substr(start, end - start + 1);
  }

  void answer(const std::string &verb, const std::string &command) {
    if (verb == "helo" || verb == "ehlo") {
      forget();
      session_.helo(command.size() > 5 ? command.substr(5) : std::string());
      client_.say("250 relay.example");
    } else if (verb == "mail") {
      if (mailward::Verdict refusal = session_.mail(path(command))) {
        return refuse(refusal);
      }
      sender_ = path(command);
      client_.say("250 2.1.0 Sender taken");
    } else if (verb == "rcpt") {
      if (mailward::Verdict refusal = session_.rcpt(path(command))) {
        return refuse(refusal);
      }
      recipients_.push_back(path(command));
      client_.say("250 2.1.5 Recipient taken");
    } else if (verb == "data") {
      if (recipients_.empty()) {
        return client_.say("503 5.5.1 No recipient was taken");
      }
      data();
    } else if (verb == "rset") {
      forget();
      client_.say("250 2.0.0 Forgotten");
    } else {
      client_.say(verb == "noop" ? "250 2.0.0 Ok" : "502 5.5.1 No such command here");
    }
  }

  void forget() {
    session_.reset();
    sender_.clear();
    recipients_.clear();
  }

  void data() {
    client_.say("354 End with a dot");
    std::string message;
    bool too_large = false;
    for (std::string line = client_.line(); line != "."; line = client_.line()) {
      line.erase(0, !line.empty() && line[0] == '.' ? 1 : 0);
      too_large |= message.size() + line.size() + 2 > kMessageBytes;
      if (!too_large) {
        message += line + "\r\n";
      }
    }
    if (too_large) {
      forget();
      return client_.say("552 5.3.4 The message is too large");
    }
    std::vector<std::string> recipients;
    recipients.swap(recipients_);
    mailward::Verdict verdict = session_.message(message);
    for (std::size_t i = 0; i < verdict.not_applied_count(); i++) {
      std::cerr << "relay: " << verdict.reference() << ": not done: " << verdict.not_applied(i) << "\n";
    }
    if (verdict.action() == MW_ACTION_REPLY) {
      return refuse(verdict);
    }
    if (verdict.action() == MW_ACTION_ACCEPT) {
      message = edited(message, verdict, sender_, recipients);
      bool taken = false;
      try {
        taken = hand_on(next_port_, sender_, recipients, message);
      } catch (const Gone &) {
      }
      if (!taken) {
        return client_.say("451 4.4.1 The next server does not take it, please try again later");
      }
    }
    client_.say("250 2.0.0 Taken, ref " + verdict.reference());
  }

  Wire client_;
  mailward::Session session_;
  int next_port_;
  std::string sender_;
  std::vector<std::string> recipients_;
};

void serve(int socket, std::string address, const mailward::Engine *engine, int next_port) {
  try {
    Connection(socket, address, *engine, next_port).serve();
  } catch (const Gone &) {
  } catch (const std::exception &error) {
    std::cerr << "relay: " << error.what() << "\n";
  }
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 5) {
    std::cerr << "usage: relay PORT NEXT-PORT CONFIG STATE-DIR\n";
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  try {
    mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
    options.state_dir = argv[4];
    options.host =
        MW_HOST_EDIT_HEADER | MW_HOST_REPLACE_BODY | MW_HOST_CHANGE_SENDER | MW_HOST_REMOVE_RECIPIENT |
        MW_HOST_ADD_RECIPIENT;
    const mailward::Engine engine = mailward::Engine::open(argv[3], &options);
    int listener = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    sockaddr_in address = loopback(std::atoi(argv[1]));
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listener, 128) != 0) {
      std::cerr << "relay: cannot listen on port " << argv[1] << "\n";
      return 1;
    }
    for (;;) {
      sockaddr_in client = sockaddr_in();
      socklen_t len = sizeof client;
      int socket = accept(listener, reinterpret_cast<sockaddr *>(&client), &len);
      if (socket < 0) {
        continue;
      }
      char name[INET_ADDRSTRLEN] = "";
      inet_ntop(AF_INET, &client.sin_addr, name, sizeof name);
      std::thread(serve, socket, std::string(name), &engine, std::atoi(argv[2])).detach();
    }
  } catch (const mailward::Error &error) {
    std::cerr << "relay: " << error.what() << "\n";
    return 1;
  }
}
