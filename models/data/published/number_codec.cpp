// models/data/published/number_codec.cpp -- reading and writing numbers.
#include "models/data/published/number_codec.h"

#include "ir/error.h"
#include "models/data/published/json.h"

#include <charconv>
#include <memory>

namespace weft::data::published {
namespace {

class NumberCodec final : public TokenCodec {
 public:
  explicit NumberCodec(int64_t size) : size_(size) {}

  std::vector<int32_t> encode(std::string_view text) const override {
    std::vector<int32_t> ids;
    for (const std::string& word : split_tokens(text)) {
      int32_t id = -1;
      const char* end = word.data() + word.size();
      const auto [stop, error] = std::from_chars(word.data(), end, id);
      if (error != std::errc() || stop != end || id < 0 || id >= size_)
        throw ir::GraphError(ir::concat("'", word.substr(0, 40), "' is no id, needed is a number ",
                                        "from 0 to ", size_ - 1,
                                        "; the model's folder has no tokeniser"));
      ids.push_back(id);
    }
    return ids;
  }
  std::vector<std::string> pieces(std::string_view text) const override {
    return split_tokens(text);
  }
  std::string decode(std::span<const int32_t> ids) const override {
    std::vector<std::string> words;
    for (const int32_t id : ids) words.push_back(std::to_string(id));
    return join_tokens(words);
  }
  std::vector<int32_t> resample(std::span<const int32_t> ids, double, int64_t,
                                Random&) const override {
    return {ids.begin(), ids.end()};
  }
  std::string serialized(const SpecialIds& s) const override {
    return Json{{"format", 1},
                {"numbers", size_},
                {"special", {s.pad, s.begin, s.end, s.unknown}},
                {"all_produced", s.all_produced}}
               .dump(1) +
           "\n";
  }

 private:
  int64_t size_;
};

}  // namespace

Tokenizer numbers(int64_t size, const SpecialIds& special) {
  std::vector<std::string> names;
  for (int64_t id = 0; id < size; ++id) names.push_back(std::to_string(id));
  return {Vocabulary::from_tokens(std::move(names), "ids", special),
          std::make_shared<NumberCodec>(size)};
}

}  // namespace weft::data::published
