// models/training/log/run_log.cpp -- events as lines of JSON.
#include "models/training/log/run_log.h"

#include "frontend/formats/text.h"
#include "ir/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace weft::training {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kEvery = 10;  // steps

Json finite(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

std::string line_of(const LogRecord& r) {
  Json j{{"kind", r.validation ? "validation" : "step"}, {"step", r.step}, {"epoch", r.epoch}};
  if (r.risk)
    j["risk"] = finite(*r.risk);
  else
    j["loss"] = finite(r.loss);
  if (r.validation) {
    for (const Score& s : r.scores) j[s.name] = finite(s.value);
    j["best"] = r.best;
  } else {
    j["gradient_norm"] = finite(r.gradient_norm);
    j["rate"] = finite(r.rate);
    j["examples_per_second"] = finite(r.examples_per_second);
    j["tokens_per_second"] = finite(r.tokens_per_second);
  }
  j["seconds"] = finite(r.seconds);
  return j.dump() + "\n";
}

double number(const Json& j, const char* key) {
  const auto it = j.find(key);
  return it == j.end() || it->is_null() ? std::nan("") : it->get<double>();
}

LogRecord record_of(const Json& j) {
  LogRecord r;
  r.validation = j.at("kind").get<std::string>() == "validation";
  r.step = j.at("step").get<int64_t>();
  r.epoch = j.at("epoch").get<int64_t>();
  r.loss = number(j, "loss");
  if (j.contains("risk")) r.risk = number(j, "risk");
  r.best = j.value("best", false);
  if (r.validation)
    for (const ScoreKind& kind : score_kinds())
      if (j.contains(kind.name)) r.scores.push_back({kind.name, number(j, kind.name.c_str())});
  r.gradient_norm = number(j, "gradient_norm");
  r.rate = number(j, "rate");
  r.examples_per_second = number(j, "examples_per_second");
  r.tokens_per_second = number(j, "tokens_per_second");
  r.seconds = number(j, "seconds");
  return r;
}

class Writer {
 public:
  Writer(const std::string& folder, int64_t step, std::function<void(const std::string&)> complain)
      : path_(run_log_path(folder)),
        complain_(std::move(complain)),
        file_(std::fopen(path_.c_str(), step > 0 ? "a+" : "w"), std::fclose),
        events_(folder) {
    if (!file_) {
      fail();
      return;
    }
    // What a killed process left of its last line stays a line of its own.
    if (std::fseek(file_.get(), -1, SEEK_END) == 0 && std::fgetc(file_.get()) != '\n')
      std::fputc('\n', file_.get());
  }

  void hear(const Event& e) {
    if (e.kind == Event::Kind::step) {
      losses_ += e.batch_loss;
      norms_ += e.gradient_norm;
      ++count_;
      last_ = e;
      if (e.step % kEvery == 0) write_steps();
    } else if (e.kind == Event::Kind::validation) {
      write({.validation = true,
             .best = e.best,
             .step = e.step,
             .epoch = e.epoch + 1,
             .loss = e.loss,
             .scores = e.scores,
             .seconds = e.seconds});
    } else if (e.kind == Event::Kind::finished && count_ > 0) {
      write_steps();
    }
  }

 private:
  void write_steps() {
    const auto n = static_cast<double>(count_);
    const bool risk = last_.loss_name == "risk";
    write({.step = last_.step,
           .epoch = last_.epoch + 1,
           .loss = risk ? std::nan("") : losses_ / n,
           .risk = risk ? std::optional(losses_ / n) : std::nullopt,
           .gradient_norm = norms_ / n,
           .rate = last_.rate,
           .examples_per_second = last_.examples_per_second,
           .tokens_per_second = last_.tokens_per_second,
           .seconds = last_.seconds});
    losses_ = norms_ = 0, count_ = 0;
  }

  void write(const LogRecord& r) {
    const std::string line = line_of(r);
    if (file_ && (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
                  std::fflush(file_.get()) != 0))
      fail();
    if (r.validation) {
      for (const Score& s : r.scores) events_.add(r.step, "validation/" + s.name, s.value);
      events_.flush();
      return;
    }
    events_.add(r.step, r.risk ? "training/risk" : "training/loss", r.risk.value_or(r.loss));
    events_.add(r.step, "training/gradient_norm", r.gradient_norm);
    events_.add(r.step, "training/rate", r.rate);
    events_.add(r.step, "training/examples_per_second", r.examples_per_second);
    events_.add(r.step, "training/tokens_per_second", r.tokens_per_second);
    events_.flush();
  }

  void fail() {
    complain_(path_ + ": cannot be written: " + std::strerror(errno) + "; training goes on");
    file_.reset();
  }

  std::string path_;
  std::function<void(const std::string&)> complain_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  EventFile events_;
  double losses_ = 0, norms_ = 0;  // since the last line
  int64_t count_ = 0;
  Event last_;
};

}  // namespace

std::string run_log_path(const std::string& folder) {
  return (std::filesystem::path(folder) / "log.jsonl").string();
}

std::vector<LogRecord> read_run_log(const std::string& path) {
  formats::LineReader lines(path);
  std::vector<LogRecord> records;
  while (const auto line = lines.next()) {
    LogRecord r;
    try {
      r = record_of(Json::parse(*line));
    } catch (const nlohmann::json::exception&) {
      // A process that was killed may leave half a line at the end of its part.
      if (line->empty() || line->back() != '}') continue;
      lines.fail("is no record of a run");
    }
    const auto over = [&](const LogRecord& before) {
      return before.step > r.step || (before.step == r.step && before.validation == r.validation);
    };
    while (!records.empty() && over(records.back())) records.pop_back();
    records.push_back(r);
  }
  return records;
}

Trainer::Observer run_log(const std::string& folder, int64_t step,
                          std::function<void(const std::string&)> complain) {
  const auto writer = std::make_shared<Writer>(folder, step, std::move(complain));
  return [writer](const Event& e) { writer->hear(e); };
}

}  // namespace weft::training
