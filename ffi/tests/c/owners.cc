// mailward.hpp at work: owners free, faults are thrown, sessions of one engine run on many threads.
#include <mailward.hpp>

#include <iostream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

int faults = 0;

void expect(bool holds, const char *what) {
  if (!holds) {
    std::cout << "not so: " << what << "\n";
    faults++;
  }
}
#define EXPECT(condition) expect((condition), #condition)

const std::string kMessage = "From: a@example.net\r\nSubject: hello\r\n\r\nhello\r\n";

mailward::Verdict judge(mailward::Session &session) {
  session.helo("mx.example.net");
  if (mailward::Verdict refusal = session.mail("a@example.net")) {
    return refusal;
  }
  if (mailward::Verdict refusal = session.rcpt("b@example.com")) {
    return refusal;
  }
  session.write(kMessage);
  return session.end_of_message("q1");
}

// A recorded session gives the same verdict again, and what its handler throws comes out.
void replay(const std::string &folder) {
  mw_engine_options_t options = MW_ENGINE_OPTIONS_INIT;
  options.record = 1;
  mailward::Engine engine = mailward::Engine::open_defaults(&options);
  mailward::Session session(engine);
  std::string expected = judge(session).explanation();
  std::string file = folder + "/cc.session";
  session.save_recording(file);
  int verdicts = 0;
  engine.replay(file, [&](const mailward::Verdict &verdict) {
    verdicts++;
    EXPECT(verdict.explanation() == expected);
  });
  EXPECT(verdicts == 1);
  try {
    engine.replay(file, [](const mailward::Verdict &) { throw std::out_of_range("enough"); });
    EXPECT(!"it went through");
  } catch (const std::out_of_range &) {
  }
}

}  // namespace

int main(int, char **arguments) {
  replay(arguments[1]);
  try {
    mailward::Engine::open("/nonexistent.toml");
    EXPECT(!"it was opened");
  } catch (const mailward::Error &error) {
    EXPECT(error.status() == MW_E_CONFIG);
    EXPECT(std::string(error.what()).find("/nonexistent.toml") != std::string::npos);
  }
  mailward::Engine engine = mailward::Engine::open_text("[score]\ntag = 5\n");
  mailward::Engine moved = std::move(engine);
  std::vector<std::thread> threads;
  std::vector<std::string> verdicts(4);
  for (std::size_t i = 0; i < verdicts.size(); i++) {
    threads.emplace_back([&moved, &verdicts, i] {
      mailward::Session session(moved);
      for (int message = 0; message < 5; message++) {
        verdicts[i] = judge(session).explanation();
      }
    });
  }
  moved.reload_text("[score]\ntag = 6\n");
  for (std::thread &thread : threads) {
    thread.join();
  }
  for (const std::string &verdict : verdicts) {
    EXPECT(verdict.find("\"verdict\":\"deliver\"") != std::string::npos);
  }
  mailward::Session session(moved);
  mailward::Verdict verdict = judge(session);
  EXPECT(verdict && verdict.action() == MW_ACTION_ACCEPT && verdict.code() == 250);
  EXPECT(verdict.recipient_count() == 1 && verdict.recipient(0).address == "b@example.com");
  EXPECT(verdict.recipient(0).disposition == MW_DISPOSITION_DELIVER);
  EXPECT(verdict.finding_count() > 0 && !verdict.finding(0).id.empty());
  EXPECT(!verdict.explanation_text().empty() && !verdict.reference().empty());
  try {
    session.write("no transaction is open");
    EXPECT(!"it was taken");
  } catch (const mailward::Error &error) {
    EXPECT(error.status() == MW_E_ORDER);
  }
  return faults != 0;
}
