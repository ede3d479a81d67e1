// models/data/example_store.h -- encoded examples by position: in memory, or in a file that is
// mapped.
//
// The file is a cache of what it was made from:
//
//   header    mark, digest of the rest, key, counts, the shape of features, where the table is
//   blocks    of about a megabyte: records (place, id, lengths), then what the examples hold
//   table     of the blocks: place, first example, digest
//   note      a text of whoever made it
//
// Its key is the digest of all that the examples are a function of; a file with another key, of
// another version or with a flipped bit is not opened. Numbers stand in this machine's byte order.
// What a walk through the file touches becomes part of the process's memory until it is released.
#pragma once
#include "frontend/formats/atomic_file.h"
#include "frontend/formats/digest.h"
#include "frontend/formats/mapped_file.h"
#include "models/data/corpus.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weft::data {

// What batches are planned by.
struct ExampleLengths {
  int64_t source = 0;  // in positions
  int64_t target = 0;  // in tokens, its end not counted
};

// Of the tokens that no vocabulary has.
struct UnknownIds {
  int32_t source = SpecialIds::kNone, target = SpecialIds::kNone;
};

// Of all examples.
struct ExampleCounts {
  int64_t examples = 0;
  int64_t source_tokens = 0, target_tokens = 0;
  int64_t unknown_source = 0, unknown_target = 0;  // tokens that became <unk>
  int64_t longest_source = 0, longest_target = 0;
  int64_t first_unknown = 0;  // the id of the first example with such a token; 0: there is none

  void add(const EncodedExample& example, const UnknownIds& unknown);
};

// Neighbours, `bytes` long in a file.
struct ExampleBlock {
  int64_t first = 0, count = 0, bytes = 0;
};

class ExampleStore {
 public:
  // In memory, as one block.
  ExampleStore(std::vector<EncodedExample> examples = {}, const UnknownIds& unknown = {});
  // Examples that were counted and not kept: `size` and `counts` are all that may be asked for.
  static ExampleStore counted(const ExampleCounts& counts);
  // The file, where it is there, whole, and has this key; otherwise nothing, and why:
  // "is not there", "was made from other data", "was changed". All of it is read.
  static std::optional<ExampleStore> open(const std::string& path, const std::string& key,
                                          std::string* why = nullptr);

  int64_t size() const;
  ExampleLengths lengths(int64_t i) const;
  int64_t id(int64_t i) const;
  // Its features are a view of the file.
  EncodedExample at(int64_t i) const;
  std::vector<EncodedExample> all() const;
  bool has_images() const;
  // 16 hexadecimal digits of all ids, sources, features and targets, in order.
  const std::string& digest() const;
  const ExampleCounts& counts() const;
  const std::string& note() const;  // that its file was written with
  std::span<const ExampleBlock> blocks() const;
  // Blocks that are read soon, or that were walked through.
  void will_need(int64_t block) const;
  void release(int64_t block) const;

 private:
  struct Content;
  explicit ExampleStore(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

  std::shared_ptr<const Content> content_;
};

// Writes such a file, example by example; what is there appears with `commit`.
class ExampleWriter {
 public:
  struct Options {
    std::string key;  // 16 hexadecimal digits
    UnknownIds unknown = {};
    int64_t block_bytes = int64_t{1} << 20;  // a block ends with the example that reaches it
  };
  ExampleWriter(const std::string& path, Options options);

  // GraphError where its features have another shape than those before.
  void add(const EncodedExample& example);
  const ExampleCounts& counts() const { return counts_; }
  void commit(std::string_view note = {});

 private:
  void end_block();

  Options options_;
  formats::AtomicFile file_;
  std::string records_, payload_, table_;
  int64_t block_examples_ = 0, blocks_ = 0;
  formats::Digest examples_digest_;
  ExampleCounts counts_;
  int64_t features_[3] = {0, 0, 0};  // [F] of frames, [H,W,C] of images
  int64_t rank_ = 0;                 // 0: tokens
};

// Hands examples over, one after the other.
using MakeExamples = std::function<void(const std::function<void(const EncodedExample&)>& add)>;

// The examples of the file at `path`, or, where it cannot be opened, those that `make` hands over,
// which are written there with the note, asked for when all are made; in memory where `path` is empty.
// `why` is set where a file that is there was not used: see ExampleStore::open.
ExampleStore cached_examples(const std::string& path, const ExampleWriter::Options& options,
                             const MakeExamples& make, std::string* why = nullptr,
                             const std::function<std::string()>& note = {});
ExampleStore counted_examples(const UnknownIds& unknown, const MakeExamples& make);

// The digest of examples one by one, as stores have it.
void add_to(formats::Digest& digest, const EncodedExample& example);

}  // namespace weft::data
