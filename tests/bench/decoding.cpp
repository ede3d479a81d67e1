// tests/bench/decoding.cpp -- milliseconds to decode a batch, greedily and with a beam.
//
//   decoding_bench [WORKLOAD...] [--beam N] [--sentences N] [--reps N] [--precision f32|bf16] [--profile]
//   decoding_bench [WORKLOAD...] [--beam N] [--reps N] [--precision f32|bf16] [--profile] --file
//
// W4: 32, 8 or 1 sources of 10..25 tokens, always 30 steps, </s> or not, with the models of W1 and
// W3. Prints one line of JSON a workload, beam (1 and 5 unless --beam says otherwise) and number of
// sentences: tokens/s counts one hypothesis a sentence. Operations are those of matrix products,
// every beam counted.
//
// With --file: 1,000 sources of 1 to 50 tokens, as many steps as the source has tokens, in the
// batches of a translator; `steps` is the share of the time that executables run.
#include "backends/backend.h"
#include "backends/onednn/kernels/peak.h"
#include "frontend/inspect/hot_kernels.h"
#include "models/data/random.h"
#include "models/data/tokens/vocabulary.h"
#include "models/search/beam_search.h"
#include "tests/bench/workloads.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace weft;

namespace {

constexpr int64_t kSentences = 32, kSteps = 30;
constexpr int64_t kLines = 1000, kLongestLine = 50;
constexpr double kLeastSeconds = 0.5;  // of what is measured of a case

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Options {
  int reps = 7;
  bool profile = false, file = false;
  ir::Precision precision = ir::Precision::f32;
};

ProgramOptions program_options(const Options& options) {
  ProgramOptions program;
  program.backend = backends::make_onednn();
  program.compile.profile = options.profile;
  program.precision = options.precision;
  return program;
}

// "W3-beam5", "W3-greedy-1": of one sentence.
std::string name_of(const bench::Workload& w, int64_t beam, ir::Precision precision) {
  std::string name = w.name + (precision == ir::Precision::bf16 ? "-bf16" : "") +
                     (beam == 1 ? "-greedy" : "-beam" + std::to_string(beam));
  return w.batch == kSentences ? name : name + "-" + std::to_string(w.batch);
}

void measure(const bench::Workload& training, int64_t beam, int64_t sentences,
             const Options& options) {
  bench::Workload w = training;
  w.batch = sentences;
  const ir::NamedArrays batch = bench::random_batch(w, 7);
  search::Decoder decoder = seq2seq::decoder(w.config, {.beam = beam}, program_options(options));
  ParameterStore store(1);
  const search::SearchOptions limits{.max_length = {0, kSteps}, .min_length = kSteps};
  std::vector<search::Hypotheses> found;
  const auto run = [&] {
    const double start = seconds();
    found = search::search(decoder, store, batch.at("source"), batch.at("source_lengths"), limits);
    return (seconds() - start) * 1e3;
  };
  const double first = run();
  decoder.encode.reset_timings();
  decoder.step.reset_timings();
  std::vector<double> times;
  for (double all = 0; std::ssize(times) < options.reps || all < kLeastSeconds * 1e3;
       all += times.back())
    times.push_back(run());
  const auto peak = onednn::kernels::measure_peak(0.3);
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  double log_probability = 0;
  for (const auto& list : found) log_probability += list.front().log_probability;
  const double gflops = bench::decoding_flop(w, beam, kSteps) / median / 1e6;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"case\":\"%s\",\"ms_median\":%.1f,\"ms_min\":%.1f,\"out_tok_s\":%.0f,\"gflops\":%.1f,"
      "\"peak_gflops\":%.1f,\"share\":%.2f,\"rss_mb\":%ld,\"first_ms\":%.0f,"
      "\"log_probability\":%.4f}\n",
      name_of(w, beam, options.precision).c_str(), median, times[0],
      static_cast<double>(w.batch * kSteps) / median * 1e3, gflops, peak.gflops,
      gflops / peak.gflops, usage.ru_maxrss / 1024, first,
      log_probability / static_cast<double>(w.batch));
  std::fflush(stdout);
  if (options.profile) {
    const inspect::Hardware hardware{peak.gflops, onednn::kernels::measure_bandwidth(0.1)};
    std::vector<backends::Report> reports = decoder.encode.reports();
    for (backends::Report& report : decoder.step.reports()) reports.push_back(std::move(report));
    std::printf(
        "%s\n",
        inspect::hot_kernels_text(reports, static_cast<int>(times.size()), hardware).c_str());
  }
}

// Seconds that executables ran.
double seconds_of(const std::vector<backends::Report>& reports) {
  double seconds = 0;
  for (const backends::Report& r : reports) seconds += r.seconds;
  return seconds;
}

void measure_file(const bench::Workload& w, int64_t beam, const Options& options) {
  data::Random random(7);
  std::vector<data::EncodedExample> examples(kLines);
  int64_t tokens = 0;
  const int64_t words = seq2seq::source_vocabulary(w.config) - data::kSpecialTokens;
  for (size_t i = 0; i < examples.size(); ++i) {
    // As text has them: few are long.
    const double u = random.uniform(), v = random.uniform();
    examples[i].id = static_cast<int64_t>(i) + 1;
    const auto length = 1 + static_cast<int64_t>(u * v * kLongestLine);
    for (int64_t t = 0; t < length; ++t)
      examples[i].source.push_back(
          static_cast<int32_t>(data::kSpecialTokens + random.below(static_cast<uint64_t>(words))));
    tokens += length;
  }
  const ProgramOptions program = program_options(options);
  ParameterStore store(1);
  const search::SearchOptions limits{.max_length = {1, 0}, .min_length = kLongestLine};
  constexpr data::BatchOptions kBatches{.max_rows = 128, .max_tokens = 16384, .round_source = 8};
  std::vector<double> times, shares;
  for (int i = 0; i < options.reps; ++i) {  // each with executables yet to be made
    search::Decoder decoder = seq2seq::decoder(w.config, {.beam = beam}, program);
    store.prepare(decoder.encode.graph());
    store.prepare(decoder.step.graph());
    const double start = seconds();
    search::search(decoder, store, examples, kBatches, limits);
    times.push_back(seconds() - start);
    const double ran = seconds_of(decoder.encode.reports()) + seconds_of(decoder.step.reports());
    shares.push_back(ran / times.back());
  }
  std::sort(times.begin(), times.end());
  std::sort(shares.begin(), shares.end());
  const double median = times[times.size() / 2];
  std::printf(
      "{\"case\":\"%s-file-%s\",\"ms_median\":%.0f,\"ms_min\":%.0f,\"out_tok_s\":%.0f,"
      "\"steps\":%.3f}\n",
      w.name.c_str(), beam == 1 ? "greedy" : ("beam" + std::to_string(beam)).c_str(), median * 1e3,
      times[0] * 1e3, static_cast<double>(tokens) / median, shares[shares.size() / 2]);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::vector<int64_t> beams, sentences;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const bool value = i + 1 < argc;
    if (std::strcmp(argv[i], "--profile") == 0)
      options.profile = true;
    else if (std::strcmp(argv[i], "--file") == 0)
      options.file = true;
    else if (std::strcmp(argv[i], "--precision") == 0 && value)
      options.precision =
          argv[++i] == std::string("bf16") ? ir::Precision::bf16 : ir::Precision::f32;
    else if (std::strcmp(argv[i], "--reps") == 0 && value)
      options.reps = std::max(1, std::atoi(argv[++i]));
    else if (std::strcmp(argv[i], "--beam") == 0 && value)
      beams.push_back(std::max(1, std::atoi(argv[++i])));
    else if (std::strcmp(argv[i], "--sentences") == 0 && value)
      sentences.push_back(std::max(1, std::atoi(argv[++i])));
    else
      names.emplace_back(argv[i]);
  }
  if (names.empty()) names = {"W1", "W3"};
  if (beams.empty()) beams = {1, 5};
  if (sentences.empty()) sentences = {kSentences, 8, 1};
  try {
    for (const std::string& n : names)
      for (const int64_t beam : beams)
        if (options.file)
          measure_file(bench::workload(n), beam, options);
        else
          for (const int64_t count : sentences) measure(bench::workload(n), beam, count, options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
