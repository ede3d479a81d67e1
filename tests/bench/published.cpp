// tests/bench/published.cpp -- milliseconds to decode with a published model, token by token.
//
//   published_bench FOLDER [--sentences N] [--tokens N] [--reps N] [--precision f32|bf16]
//
// W7: sources of 64 tokens, drawn at random, greedily to as many tokens as are asked for (64), ends or
// not. Prints one line of JSON: the time to the first token (the source read, one step), of each later
// one, tokens a second of all, and the most memory that was resident.
#include "backends/backend.h"
#include "ir/error.h"
#include "models/data/random.h"
#include "models/families/seq2seq.h"
#include "models/published/folder.h"
#include "models/search/beam_search.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace weft;

namespace {

constexpr int64_t kSource = 64;

struct Options {
  std::string folder;
  int64_t sentences = 1, tokens = 64;
  int reps = 5;
  ir::Precision precision = ir::Precision::f32;
};

ir::Array sources(int64_t rows, int64_t vocabulary) {
  data::Random random(7);
  ir::Array ids(ir::DType::s32, {rows, kSource});
  for (int64_t i = 0; i < ids.size(); ++i)
    ids.set_integer(i,
                    5 + static_cast<int64_t>(random.below(static_cast<uint64_t>(vocabulary - 10))));
  return ids;
}

void measure(const Options& options) {
  const published::Folder folder(options.folder);
  ProgramOptions program;
  program.backend = backends::make_onednn();
  program.precision = options.precision;
  ParameterStore store = folder.load();
  search::Decoder decoder = seq2seq::decoder(
      folder.settings(), {.scores = false, .ids = folder.generation().ids}, program);
  const ir::Array source =
      sources(options.sentences, seq2seq::source_vocabulary(folder.settings()));
  ir::Array lengths(ir::DType::s32, {options.sentences});
  for (int64_t i = 0; i < options.sentences; ++i) lengths.set_integer(i, kSource);
  const auto milliseconds = [&](int64_t tokens) {
    const search::SearchOptions limits{.max_length = {0, tokens}, .min_length = tokens};
    const auto start = std::chrono::steady_clock::now();
    search::search(decoder, store, source, lengths, limits);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  };
  milliseconds(options.tokens);  // weights laid out, executables made
  std::vector<double> first, whole;
  for (int i = 0; i < options.reps; ++i) {
    first.push_back(milliseconds(1));
    whole.push_back(milliseconds(options.tokens));
  }
  std::sort(first.begin(), first.end());
  std::sort(whole.begin(), whole.end());
  const double to_first = first[first.size() / 2], all = whole[whole.size() / 2];
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"sentences\":%lld,\"first_ms\":%.2f,\"token_ms\":%.3f,\"tokens_per_s\":%.1f,"
      "\"rss_mb\":%ld}\n",
      static_cast<long long>(options.sentences), to_first,
      (all - to_first) / static_cast<double>(options.tokens - 1),
      static_cast<double>(options.sentences * options.tokens) / all * 1e3, usage.ru_maxrss / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) {
      return i + 1 < argc && std::strcmp(argv[i], name) == 0;
    };
    if (is("--sentences"))
      options.sentences = std::max(1, std::atoi(argv[++i]));
    else if (is("--tokens"))
      options.tokens = std::max(2, std::atoi(argv[++i]));
    else if (is("--reps"))
      options.reps = std::max(1, std::atoi(argv[++i]));
    else if (is("--precision"))
      options.precision =
          argv[++i] == std::string("bf16") ? ir::Precision::bf16 : ir::Precision::f32;
    else
      options.folder = argv[i];
  }
  try {
    measure(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
