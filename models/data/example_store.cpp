// models/data/example_store.cpp -- the file's layout, written and read.
#include "models/data/example_store.h"

#include "frontend/formats/input_file.h"
#include "ir/check.h"
#include "ir/error.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <type_traits>

namespace weft::data {
namespace {

using formats::Digest;
using ir::Array;
using ir::concat;
using ir::GraphError;

constexpr char kMark[8] = {'w', 'e', 'f', 't', 'e', 'x', '0', '2'};

struct Header {
  char mark[8];
  uint64_t digest;  // of the rest of the header, of the table and of the note
  char key[16];
  char examples_digest[16];
  ExampleCounts counts;
  int64_t rank, features[3];
  int64_t table, blocks;
  int64_t note;  // bytes of it, behind the table
};

struct Record {
  int64_t place;  // of what it holds, from the block's begin
  int64_t id;
  int32_t source, target;  // source: tokens, or positions of features
};

struct TableRow {
  int64_t place, bytes, first, count;
  uint64_t digest;
};

static_assert(std::is_trivially_copyable_v<Header> && std::is_trivially_copyable_v<Record> &&
              std::is_trivially_copyable_v<TableRow>);

uint64_t digest_of(const Header& header, std::string_view table_and_note) {
  Digest digest;
  digest.add(header.key, sizeof header - offsetof(Header, key));
  digest.add(table_and_note.data(), table_and_note.size());
  return digest.value();
}

template <typename T>
void append(std::string& bytes, const T* values, size_t count) {
  bytes.append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

template <typename T>
T read_as(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

int64_t unknown(const std::vector<int32_t>& ids, int32_t id) {
  return id == SpecialIds::kNone ? 0 : std::count(ids.begin(), ids.end(), id);
}

}  // namespace

void ExampleCounts::add(const EncodedExample& e, const UnknownIds& unknown_ids) {
  ++examples;
  source_tokens += e.source_length();
  target_tokens += std::ssize(e.target);
  const int64_t source = unknown(e.source, unknown_ids.source);
  const int64_t target = unknown(e.target, unknown_ids.target);
  unknown_source += source, unknown_target += target;
  if (source + target > 0 && first_unknown == 0) first_unknown = e.id;
  longest_source = std::max(longest_source, e.source_length());
  longest_target = std::max<int64_t>(longest_target, std::ssize(e.target));
}

void add_to(Digest& digest, const EncodedExample& e) {
  digest.add(&e.id, sizeof e.id);
  if (!e.features.empty()) digest.add(e.features.raw(), static_cast<size_t>(e.features.bytes()));
  for (const auto* side : {&e.source, &e.target})
    digest.add_text({reinterpret_cast<const char*>(side->data()), side->size() * sizeof(int32_t)});
}

struct ExampleStore::Content {
  std::vector<EncodedExample> examples;  // in memory, or
  std::optional<formats::MappedFile> file;
  std::vector<TableRow> table;
  int64_t rank = 0, features[3] = {0, 0, 0};

  std::vector<ExampleBlock> blocks;
  ExampleCounts counts;
  std::string digest, note;

  ir::Dims dims_of(const Record& r) const {  // of its features
    return rank == 3 ? ir::Dims(features, features + 3) : ir::Dims{r.source, features[0]};
  }
  const TableRow& block_of(int64_t i) const {
    WEFT_CHECK(i >= 0 && i < counts.examples);
    return *std::prev(std::upper_bound(table.begin(), table.end(), i,
                                       [](int64_t at, const TableRow& r) { return at < r.first; }));
  }
  Record record(int64_t i) const {
    const TableRow& block = block_of(i);
    return read_as<Record>(file->data() + block.place +
                           (i - block.first) * static_cast<int64_t>(sizeof(Record)));
  }
};

ExampleStore::ExampleStore(std::vector<EncodedExample> examples, const UnknownIds& unknown_ids) {
  const auto content = std::make_shared<Content>();
  Digest digest;
  for (const EncodedExample& e : examples) {
    add_to(digest, e);
    content->counts.add(e, unknown_ids);
  }
  content->digest = digest.str();
  content->blocks = {{0, std::ssize(examples), 0}};
  content->examples = std::move(examples);
  content_ = content;
}

std::optional<ExampleStore> ExampleStore::open(const std::string& path, const std::string& key,
                                               std::string* why) {
  const auto refuse = [why](const char* reason) {
    if (why != nullptr) *why = reason;
    return std::nullopt;
  };
  if (!std::filesystem::is_regular_file(path)) return refuse("is not there");
  Header header;
  std::string table;
  const formats::InputFile file(path);  // read, not mapped: what is read does not stay
  const int64_t size = file.size();
  if (size < static_cast<int64_t>(sizeof header)) return refuse("was changed");
  file.read(0, &header, sizeof header);
  if (std::memcmp(header.mark, kMark, sizeof kMark) != 0)
    return refuse("is of another version or no such file");
  const auto row = static_cast<int64_t>(sizeof(TableRow));
  if (header.table < 0 || header.table > size || header.note < 0 ||
      header.note > size - header.table ||
      header.blocks != (size - header.table - header.note) / row ||
      header.table + header.blocks * row + header.note != size)
    return refuse("was changed");
  table = file.read_text(header.table, header.blocks * row + header.note);
  if (digest_of(header, table) != header.digest) return refuse("was changed");
  std::string note = table.substr(static_cast<size_t>(header.blocks * row));
  table.resize(static_cast<size_t>(header.blocks * row));
  if (std::string_view(header.key, sizeof header.key) != key)
    return refuse("was made from other data or settings");

  const auto content = std::make_shared<Content>();
  content->table.resize(static_cast<size_t>(header.blocks));
  if (!table.empty()) std::memcpy(content->table.data(), table.data(), table.size());
  std::string bytes;
  for (const TableRow& block : content->table) {
    bytes.resize(static_cast<size_t>(block.bytes));
    file.read(block.place, bytes.data(), block.bytes);
    Digest digest;
    digest.add(bytes.data(), bytes.size());
    if (digest.value() != block.digest) return refuse("was changed");
    content->blocks.push_back({block.first, block.count, block.bytes});
  }
  content->counts = header.counts;
  content->digest.assign(header.examples_digest, sizeof header.examples_digest);
  content->note = std::move(note);
  content->rank = header.rank;
  std::copy_n(header.features, 3, content->features);
  content->file.emplace(path);
  if (content->file->size() != size) return refuse("was changed");
  return ExampleStore(content);
}

int64_t ExampleStore::size() const { return content_->counts.examples; }
const std::string& ExampleStore::digest() const { return content_->digest; }
const std::string& ExampleStore::note() const { return content_->note; }
const ExampleCounts& ExampleStore::counts() const { return content_->counts; }
std::span<const ExampleBlock> ExampleStore::blocks() const { return content_->blocks; }

bool ExampleStore::has_images() const {
  if (content_->file) return content_->rank == 3;
  return !content_->examples.empty() && content_->examples.front().features.rank() == 3;
}

ExampleLengths ExampleStore::lengths(int64_t i) const {
  if (content_->file) {
    const Record r = content_->record(i);
    return {r.source, r.target};
  }
  const EncodedExample& e = content_->examples[static_cast<size_t>(i)];
  return {e.source_length(), std::ssize(e.target)};
}

int64_t ExampleStore::id(int64_t i) const {
  return content_->file ? content_->record(i).id : content_->examples[static_cast<size_t>(i)].id;
}

EncodedExample ExampleStore::at(int64_t i) const {
  if (!content_->file) return content_->examples[static_cast<size_t>(i)];
  const Record r = content_->record(i);
  const char* held = content_->file->data() + content_->block_of(i).place + r.place;
  EncodedExample e{.source = {}, .target = {}, .id = r.id};
  if (content_->rank > 0) {
    e.features = Array::view(ir::DType::f32, content_->dims_of(r), const_cast<char*>(held),
                             std::const_pointer_cast<Content>(content_));
    e.positions = r.source;
    held += e.features.bytes();
  } else {
    e.source.resize(static_cast<size_t>(r.source));
    if (r.source > 0) std::memcpy(e.source.data(), held, e.source.size() * sizeof(int32_t));
    held += e.source.size() * sizeof(int32_t);
  }
  e.target.resize(static_cast<size_t>(r.target));
  if (r.target > 0) std::memcpy(e.target.data(), held, e.target.size() * sizeof(int32_t));
  return e;
}

std::vector<EncodedExample> ExampleStore::all() const {
  std::vector<EncodedExample> examples;
  for (int64_t i = 0; i < size(); ++i) examples.push_back(at(i));
  return examples;
}

void ExampleStore::will_need(int64_t block) const {
  if (!content_->file) return;
  const TableRow& row = content_->table[static_cast<size_t>(block)];
  content_->file->will_need(row.place, row.bytes);
}

void ExampleStore::release(int64_t block) const {
  if (!content_->file) return;
  const TableRow& row = content_->table[static_cast<size_t>(block)];
  content_->file->release(row.place, row.bytes);
}

ExampleWriter::ExampleWriter(const std::string& path, Options options)
    : options_(std::move(options)), file_(path) {
  WEFT_CHECK(options_.key.size() == sizeof Header::key);
  file_.seek(sizeof(Header));
}

void ExampleWriter::add(const EncodedExample& e) {
  const Array& x = e.features;
  if (counts_.examples == 0) {
    rank_ = x.empty() ? 0 : x.rank();
    if (rank_ == 2) features_[0] = x.dim(1);
    if (rank_ == 3) std::copy_n(x.dims().begin(), 3, features_);
  }
  const bool same =
      rank_ == 0 ? x.empty()
      : rank_ == 2
          ? x.rank() == 2 && x.dim(1) == features_[0] && x.dim(0) == e.positions
          : rank_ == 3 && std::equal(features_, features_ + 3, x.dims().begin(), x.dims().end());
  if (!same)
    throw GraphError(concat("the source of example ", e.id, " is ",
                            x.empty() ? "tokens" : ir::dims_str(x.dims()),
                            ", which those before are not"));
  const Record record{std::ssize(payload_), e.id, static_cast<int32_t>(e.source_length()),
                      static_cast<int32_t>(e.target.size())};
  append(records_, &record, 1);
  if (rank_ > 0)
    append(payload_, x.data<float>(), static_cast<size_t>(x.size()));
  else
    append(payload_, e.source.data(), e.source.size());
  append(payload_, e.target.data(), e.target.size());
  add_to(examples_digest_, e);
  counts_.add(e, options_.unknown);
  ++block_examples_;
  if (std::ssize(records_) + std::ssize(payload_) >= options_.block_bytes) end_block();
}

void ExampleWriter::end_block() {
  if (block_examples_ == 0) return;
  const std::string alignment((16 - (records_.size() + payload_.size()) % 16) % 16, '\0');
  for (size_t at = 0; at < records_.size(); at += sizeof(Record)) {
    auto record = read_as<Record>(records_.data() + at);
    record.place += std::ssize(records_);
    std::memcpy(records_.data() + at, &record, sizeof record);
  }
  Digest digest;
  TableRow row{file_.position(), 0, counts_.examples - block_examples_, block_examples_, 0};
  for (const std::string_view part :
       {std::string_view(records_), std::string_view(payload_), std::string_view(alignment)}) {
    digest.add(part.data(), part.size());
    file_.write(part);
    row.bytes += std::ssize(part);
  }
  row.digest = digest.value();
  append(table_, &row, 1);
  records_.clear(), payload_.clear();
  block_examples_ = 0;
  ++blocks_;
}

void ExampleWriter::commit(std::string_view note) {
  end_block();
  Header header{};
  std::memcpy(header.mark, kMark, sizeof kMark);
  std::memcpy(header.key, options_.key.data(), sizeof header.key);
  std::memcpy(header.examples_digest, examples_digest_.str().data(), sizeof header.examples_digest);
  header.counts = counts_;
  header.rank = rank_;
  std::copy_n(features_, 3, header.features);
  header.table = file_.position();
  header.blocks = blocks_;
  header.note = std::ssize(note);
  table_ += note;
  file_.write(table_);
  header.digest = digest_of(header, table_);
  file_.seek(0);
  file_.write(&header, sizeof header);
  file_.commit();
}

ExampleStore ExampleStore::counted(const ExampleCounts& counts) {
  const auto content = std::make_shared<Content>();
  content->counts = counts;
  return ExampleStore(content);
}

ExampleStore counted_examples(const UnknownIds& unknown_ids, const MakeExamples& make) {
  ExampleCounts counts;
  make([&](const EncodedExample& e) { counts.add(e, unknown_ids); });
  return ExampleStore::counted(counts);
}

ExampleStore cached_examples(const std::string& path, const ExampleWriter::Options& options,
                             const MakeExamples& make, std::string* why,
                             const std::function<std::string()>& note) {
  if (path.empty()) {
    std::vector<EncodedExample> examples;
    make([&](const EncodedExample& e) { examples.push_back(e); });
    return ExampleStore(std::move(examples), options.unknown);
  }
  std::string reason;
  if (auto store = ExampleStore::open(path, options.key, &reason)) return std::move(*store);
  if (why != nullptr && std::filesystem::exists(path)) *why = reason;
  ExampleWriter writer(path, options);
  make([&](const EncodedExample& e) { writer.add(e); });
  writer.commit(note ? note() : std::string());
  if (auto store = ExampleStore::open(path, options.key, &reason)) return std::move(*store);
  throw ir::RuntimeError(concat(path, ": ", reason, " since it was written"));
}

}  // namespace weft::data
