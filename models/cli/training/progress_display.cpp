// models/cli/training/progress_display.cpp -- a line on stderr.
#include "models/cli/training/progress_display.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <string>

namespace weft::cli {
namespace {

using training::Event;

std::string clock(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  return s >= 3600 ? fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
                   : fmt::format("{}:{:02}", s / 60, s % 60);
}

// "21,300"
std::string with_commas(double x) {
  std::string digits = fmt::format("{:.0f}", x);
  for (auto at = static_cast<int64_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<size_t>(at), ",");
  return digits;
}

// NaN without its sign, which says nothing.
double shown(double loss) { return std::isnan(loss) ? std::fabs(loss) : loss; }

class Line {
 public:
  void hear(const Event& e) {
    switch (e.kind) {
      case Event::Kind::step:
        step(e);
        break;
      case Event::Kind::validation:
        validation(e);
        break;
      case Event::Kind::saved:
        break;
      case Event::Kind::note:
        print(fmt::format("step {}: {}", e.step, e.why));
        break;
      case Event::Kind::finished:
        print(fmt::format("step {}: {}, after {}", e.step, e.why, clock(e.seconds)));
        break;
    }
    std::fflush(stderr);
  }

 private:
  void step(const Event& e) {
    if (e.seconds - shown_ < (terminal_ ? 0.2 : 10)) return;
    shown_ = e.seconds;
    const std::string text = fmt::format(
        "step {}, epoch {}: {} {:.4f}, {} tokens/s, rate {:.3g}{}, {}{}", e.step, e.epoch + 1,
        e.loss_name, shown(e.loss), with_commas(e.tokens_per_second), e.rate, validated_,
        clock(e.seconds), e.seconds_left > 0 ? ", " + clock(e.seconds_left) + " left" : "");
    std::fputs(((terminal_ ? "\r\033[K" : "") + text + (terminal_ ? "" : "\n")).c_str(), stderr);
    open_ = terminal_;
  }

  void validation(const Event& e) {
    std::string scores;
    for (const training::Score& s : e.scores) {
      scores += (scores.empty() ? "" : ", ") + str(training::Score{s.name, shown(s.value)});
      if (s.name == e.judge) validated_ = fmt::format(", {} at {}", str(s), e.step);
    }
    print(fmt::format("step {}: validation {}{}", e.step, scores, e.best ? " (best)" : ""));
  }

  // A line of its own.
  void print(const std::string& text) {
    std::fputs(((open_ ? "\n" : "") + text + "\n").c_str(), stderr);
    open_ = false;
  }

  bool terminal_ = ::isatty(2) != 0;
  bool open_ = false;
  double shown_ = -1e9;
  std::string validated_;  // the last score by which models are judged
};

}  // namespace

training::Trainer::Observer progress_display() {
  const auto line = std::make_shared<Line>();
  return [line](const Event& e) { line->hear(e); };
}

}  // namespace weft::cli
