// models/cli/progress_display.cpp -- a line on stderr.
#include "models/cli/progress_display.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <memory>

namespace weft::cli {
namespace {

using training::Event;

std::string clock(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  char text[32];
  std::snprintf(text, sizeof text, s >= 3600 ? "%d:%02d:%02d" : "%d:%02d",
                static_cast<int>(s >= 3600 ? s / 3600 : s / 60),
                static_cast<int>(s >= 3600 ? s / 60 % 60 : s % 60), static_cast<int>(s % 60));
  return text;
}

// NaN without its sign, which says nothing.
double shown(double loss) { return std::isnan(loss) ? std::fabs(loss) : loss; }

}  // namespace

training::Trainer::Observer progress_display() {
  struct Line {
    bool terminal = ::isatty(2) != 0;
    bool open = false;
    double shown = -1e9;
  };
  const auto line = std::make_shared<Line>();
  return [line](const Event& e) {
    const auto close = [&] {
      if (line->open) std::fputc('\n', stderr);
      line->open = false;
    };
    switch (e.kind) {
      case Event::Kind::step: {
        const double every = line->terminal ? 0.2 : 10;
        if (e.seconds - line->shown < every) return;
        line->shown = e.seconds;
        const std::string left = e.seconds_left > 0 ? ", " + clock(e.seconds_left) + " left" : "";
        std::fprintf(stderr, "%sstep %lld, epoch %lld: loss %.4f, %.0f examples/s, %s%s%s",
                     line->terminal ? "\r\033[K" : "", static_cast<long long>(e.step),
                     static_cast<long long>(e.epoch + 1), shown(e.loss), e.examples_per_second,
                     clock(e.seconds).c_str(), left.c_str(), line->terminal ? "" : "\n");
        line->open = line->terminal;
        break;
      }
      case Event::Kind::validation:
        close();
        std::fprintf(stderr, "step %lld: validation loss %.4f%s\n", static_cast<long long>(e.step),
                     shown(e.loss), e.best ? " (best)" : "");
        break;
      case Event::Kind::saved:
        break;
      case Event::Kind::note:
        close();
        std::fprintf(stderr, "step %lld: %s\n", static_cast<long long>(e.step), e.why.c_str());
        break;
      case Event::Kind::finished:
        close();
        std::fprintf(stderr, "step %lld: %s, after %s\n", static_cast<long long>(e.step),
                     e.why.c_str(), clock(e.seconds).c_str());
        break;
    }
    std::fflush(stderr);
  };
}

}  // namespace weft::cli
