// Mailward for C++11 and later: what mailward.h documents, with owners that free and faults that are thrown.
//
//   mailward::Engine engine = mailward::Engine::open("/etc/mailward/mailward.toml", options);
//   mailward::Session session(engine, facts);
//   if (mailward::Verdict refusal = session.mail("a@example.net")) { … refusal.code(), refusal.text() … }
//
// Everything is inline; only libmailward itself is linked. Owners can be moved, not copied. Which threads may call what is
// the same as in mailward.h: one Engine for all, one Session for one thread at a time.
#ifndef MAILWARD_HPP
#define MAILWARD_HPP

#include <mailward.h>

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

namespace mailward {

// A call that failed: status() is one of MW_E_..., what() says why, for a log.
class Error : public std::runtime_error {
 public:
  Error(mw_status_t status, const std::string &words) : std::runtime_error(words), status_(status) {}
  mw_status_t status() const noexcept { return status_; }

 private:
  mw_status_t status_;
};

// Bytes as the library takes them; they stay the string's.
inline mw_text_t text(const std::string &bytes) {
  mw_text_t view = {bytes.data(), bytes.size()};
  return view;
}

// A copy of bytes that belong to the library.
inline std::string copy(mw_text_t view) { return view.len == 0 ? std::string() : std::string(view.data, view.len); }

// Throws unless the call went well. `err` is what the call was given; it is freed here.
inline void check(mw_status_t status, mw_error_t *&err) {
  if (status == MW_OK) {
    return;
  }
  std::unique_ptr<mw_error_t, void (*)(mw_error_t *)> owner(err, mw_error_free);
  err = nullptr;
  throw Error(status, copy(mw_error_message(owner.get())));
}

// What became of a message or command. An empty one, which is false, says that a command was taken.
class Verdict {
 public:
  Verdict() : handle_(nullptr, mw_verdict_free) {}
  explicit Verdict(mw_verdict_t *owned) : handle_(owned, mw_verdict_free) {}

  explicit operator bool() const noexcept { return handle_ != nullptr; }
  const mw_verdict_t *get() const noexcept { return handle_.get(); }

  int action() const { return mw_verdict_action(get()); }
  int code() const { return mw_verdict_code(get()); }
  std::string enhanced() const { return copy(mw_verdict_enhanced(get())); }
  std::string text() const { return copy(mw_verdict_text(get())); }
  std::string reference() const { return copy(mw_verdict_reference(get())); }
  unsigned delay_ms() const { return mw_verdict_delay_ms(get()); }
  int points() const { return mw_verdict_points(get()); }
  std::string explanation() const { return copy(mw_verdict_explanation(get())); }
  std::string explanation_text() const { return copy(mw_verdict_explanation_text(get())); }

  struct Edit {
    int kind;
    std::string name;
    std::string value;
    unsigned occurrence;
  };
  std::size_t edit_count() const { return mw_verdict_edit_count(get()); }
  Edit edit(std::size_t index) const {
    Edit edit = {mw_verdict_edit_kind(get(), index), copy(mw_verdict_edit_name(get(), index)),
                 copy(mw_verdict_edit_value(get(), index)), mw_verdict_edit_occurrence(get(), index)};
    return edit;
  }

  struct Recipient {
    std::string address;
    int disposition;
    int wanted;
    std::string because;
    int code;
    std::string enhanced;
    std::string text;
  };
  std::size_t recipient_count() const { return mw_verdict_recipient_count(get()); }
  Recipient recipient(std::size_t index) const {
    Recipient recipient = {copy(mw_verdict_recipient_address(get(), index)),
                           mw_verdict_recipient_disposition(get(), index),
                           mw_verdict_recipient_wanted(get(), index),
                           copy(mw_verdict_recipient_because(get(), index)),
                           mw_verdict_recipient_code(get(), index),
                           copy(mw_verdict_recipient_enhanced(get(), index)),
                           copy(mw_verdict_recipient_text(get(), index))};
    return recipient;
  }

  struct Finding {
    std::string id;
    int points;
    std::string evidence;
  };
  std::size_t finding_count() const { return mw_verdict_finding_count(get()); }
  Finding finding(std::size_t index) const {
    Finding finding = {copy(mw_verdict_finding_id(get(), index)), mw_verdict_finding_points(get(), index),
                       copy(mw_verdict_finding_evidence(get(), index))};
    return finding;
  }

  std::size_t not_applied_count() const { return mw_verdict_not_applied_count(get()); }
  std::string not_applied(std::size_t index) const { return copy(mw_verdict_not_applied(get(), index)); }

  // A view of a verdict that another owns, and that is not freed with it.
  static Verdict borrowed(const mw_verdict_t *others) {
    Verdict view;
    view.handle_ = std::unique_ptr<mw_verdict_t, void (*)(mw_verdict_t *)>(const_cast<mw_verdict_t *>(others), leave);
    return view;
  }

 private:
  static void leave(mw_verdict_t *) {}

  std::unique_ptr<mw_verdict_t, void (*)(mw_verdict_t *)> handle_;
};

// Configuration and state. All members are const: any number of threads may call them at a time.
class Engine {
 public:
  // With the configuration in a file.
  static Engine open(const std::string &file, const mw_engine_options_t *options = nullptr) {
    return opened(file.c_str(), options);
  }
  // With the built-in defaults.
  static Engine open_defaults(const mw_engine_options_t *options = nullptr) { return opened(nullptr, options); }
  // With a configuration that is given as TOML text.
  static Engine open_text(const std::string &config, const mw_engine_options_t *options = nullptr) {
    mw_engine_t *handle = nullptr;
    mw_error_t *err = nullptr;
    check(mw_engine_open_text(mailward::text(config), options, &handle, &err), err);
    return Engine(handle);
  }

  const mw_engine_t *get() const noexcept { return handle_.get(); }

  void reload() const {
    mw_error_t *err = nullptr;
    check(mw_engine_reload(get(), &err), err);
  }
  void reload_text(const std::string &config) const {
    mw_error_t *err = nullptr;
    check(mw_engine_reload_text(get(), mailward::text(config), &err), err);
  }
  // One of MW_LEARNT_...
  int learn(int as_class, const std::string &message) const {
    int32_t outcome = 0;
    mw_error_t *err = nullptr;
    check(mw_engine_learn(get(), as_class, mailward::text(message), &outcome, &err), err);
    return outcome;
  }
  // Calls on_verdict(const Verdict &) for each; what it throws is thrown again when the replay is over.
  template <typename F>
  void replay(const std::string &file, F on_verdict) const {
    struct Call {
      F &on_verdict;
      std::exception_ptr thrown;
      static void made(void *user, const mw_verdict_t *verdict) {
        Call &call = *static_cast<Call *>(user);
        if (call.thrown) {
          return;
        }
        try {
          call.on_verdict(Verdict::borrowed(verdict));
        } catch (...) {
          call.thrown = std::current_exception();
        }
      }
    } call = {on_verdict, nullptr};
    mw_error_t *err = nullptr;
    check(mw_engine_replay(get(), file.c_str(), &Call::made, &call, &err), err);
    if (call.thrown) {
      std::rethrow_exception(call.thrown);
    }
  }

 private:
  explicit Engine(mw_engine_t *owned) : handle_(owned, mw_engine_free) {}
  static Engine opened(const char *file, const mw_engine_options_t *options) {
    mw_engine_t *handle = nullptr;
    mw_error_t *err = nullptr;
    check(mw_engine_open(file, options, &handle, &err), err);
    return Engine(handle);
  }

  std::unique_ptr<mw_engine_t, void (*)(mw_engine_t *)> handle_;
};

// One connection. The engine may go before it.
class Session {
 public:
  explicit Session(const Engine &engine, const mw_connect_facts_t *facts = nullptr)
      : handle_(nullptr, mw_session_free) {
    mw_session_t *handle = nullptr;
    mw_error_t *err = nullptr;
    check(mw_session_open(engine.get(), facts, &handle, &err), err);
    handle_.reset(handle);
  }

  mw_session_t *get() noexcept { return handle_.get(); }

  void helo(const std::string &name) {
    mw_error_t *err = nullptr;
    check(mw_session_helo(get(), mailward::text(name), &err), err);
  }
  Verdict mail(const std::string &sender, const mw_mail_facts_t *facts = nullptr) {
    mw_verdict_t *refusal = nullptr;
    mw_error_t *err = nullptr;
    check(mw_session_mail(get(), mailward::text(sender), facts, &refusal, &err), err);
    return Verdict(refusal);
  }
  Verdict rcpt(const std::string &recipient) {
    mw_verdict_t *refusal = nullptr;
    mw_error_t *err = nullptr;
    check(mw_session_rcpt(get(), mailward::text(recipient), &refusal, &err), err);
    return Verdict(refusal);
  }
  void write(const char *data, std::size_t len) {
    mw_error_t *err = nullptr;
    mw_text_t piece = {data, len};
    check(mw_session_write(get(), piece, &err), err);
  }
  void write(const std::string &piece) { write(piece.data(), piece.size()); }
  Verdict end_of_message(const std::string &queue_id = std::string()) {
    mw_verdict_t *verdict = nullptr;
    mw_error_t *err = nullptr;
    check(mw_session_end_of_message(get(), mailward::text(queue_id), &verdict, &err), err);
    return Verdict(verdict);
  }
  Verdict message(const std::string &whole, const std::string &queue_id = std::string()) {
    mw_verdict_t *verdict = nullptr;
    mw_error_t *err = nullptr;
    check(mw_session_message(get(), mailward::text(whole), mailward::text(queue_id), &verdict, &err), err);
    return Verdict(verdict);
  }
  Verdict reset() {
    mw_verdict_t *report = nullptr;
    mw_error_t *err = nullptr;
    check(mw_session_reset(get(), &report, &err), err);
    return Verdict(report);
  }
  void save_recording(const std::string &file) {
    mw_error_t *err = nullptr;
    check(mw_session_save_recording(get(), file.c_str(), &err), err);
  }

 private:
  std::unique_ptr<mw_session_t, void (*)(mw_session_t *)> handle_;
};

}  // namespace mailward

#endif
