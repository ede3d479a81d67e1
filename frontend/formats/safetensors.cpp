// frontend/formats/safetensors.cpp -- the safetensors container.
#include "frontend/formats/safetensors.h"

#include "frontend/formats/atomic_file.h"
#include "ir/check.h"
#include "ir/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <unordered_set>

namespace weft::formats {
namespace {

using ir::Array;
using ir::concat;
using ir::DType;
using ir::GraphError;
using ir::NamedArray;
using ir::NamedArrays;
using nlohmann::json;

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeader = 100'000'000;  // as in the reference reader
constexpr int64_t kAlignment = 64;
constexpr size_t kMaxRank = 64;
constexpr int kMaxDepth = 3;  // {"name": {"shape": [...]}}
constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::string_view kLfsStart = "version https://git-lfs";

struct WireType {
  std::string_view name;
  DType dtype;
};
constexpr WireType kWireTypes[] = {
    {"F32", DType::f32}, {"F64", DType::f64},   {"F16", DType::f16}, {"BF16", DType::bf16},
    {"I64", DType::s64}, {"I32", DType::s32},   {"U32", DType::u32}, {"U8", DType::u8},
    {"I8", DType::s8},   {"BOOL", DType::pred},
};

std::string in_quotes(std::string_view text) {
  return json(text).dump(-1, ' ', true, json::error_handler_t::replace);
}

// The header as JSON. The parser itself accepts a name twice and any depth; the callback does not.
json parse_header(const std::string& text, const std::string& path) {
  std::vector<std::unordered_set<std::string>> names;  // of the objects that are open
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    using Event = json::parse_event_t;
    if (depth >= kMaxDepth && (event == Event::object_start || event == Event::array_start))
      throw GraphError(concat(path, ": the header is nested deeper than ", kMaxDepth, " levels"));
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end) names.pop_back();
    if (event == Event::key && !names.back().insert(parsed.get<std::string>()).second)
      throw GraphError(
          concat(path, ": the header has ", in_quotes(parsed.get<std::string>()), " twice"));
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::exception& error) {
    const std::string what = error.what();  // ends with what was read last, however long that is
    throw GraphError(concat(path, ": the header is not JSON: ", what.substr(0, 160)));
  }
}

json read_header(const InputFile& file) {
  const std::string& path = file.path();
  if (file.read_text(0, std::min<int64_t>(file.size(), kLfsStart.size())) == kLfsStart)
    throw GraphError(
        concat(path, ": is a git-lfs pointer; fetch the file itself with git lfs pull"));
  if (file.size() < kLengthBytes)
    throw GraphError(concat(path, ": has ", file.size(), " bytes, a safetensors file at least 8"));
  uint64_t length = 0;
  file.read(0, &length, kLengthBytes);
  const auto most = static_cast<uint64_t>(std::min(file.size() - kLengthBytes, kMaxHeader));
  if (length > most)
    throw GraphError(
        concat(path, ": the header is said to have ", length, " bytes, ", most, " are possible"));
  const std::string text = file.read_text(kLengthBytes, static_cast<int64_t>(length));
  if (!text.starts_with('{'))
    throw GraphError(concat(path, ": the header does not start with '{'"));
  return parse_header(text, path);
}

Metadata parse_metadata(const json& object, const std::string& path) {
  if (!object.is_object()) throw GraphError(concat(path, ": __metadata__ is not an object"));
  Metadata metadata;
  for (const auto& [key, value] : object.items()) {
    if (!value.is_string())
      throw GraphError(concat(path, ": __metadata__ entry ", in_quotes(key), " is not a string"));
    metadata.emplace(key, value.get<std::string>());
  }
  return metadata;
}

// One tensor's entry in the header, its numbers checked one by one.
class EntryParser {
 public:
  EntryParser(const std::string& name, const json& object, const std::string& path)
      : object_(object), where_(concat(path, ": tensor ", in_quotes(name))) {
    if (!object.is_object()) fail("is not described by an object");
    entry_.name = name;
  }

  TensorEntry parse(int64_t data_begin, int64_t data_end) {
    entry_.dtype = parse_dtype();
    for (const json& dim : list("shape")) entry_.dims.push_back(natural(dim, "shape"));
    if (entry_.dims.size() > kMaxRank)
      fail(concat("has ", entry_.dims.size(), " dims, at most ", kMaxRank, " are accepted"));
    const json& offsets = list("data_offsets");
    if (offsets.size() != 2) fail(concat("has ", offsets.size(), " data_offsets, 2 are needed"));
    const int64_t begin = natural(offsets[0], "data_offsets");
    const int64_t end = natural(offsets[1], "data_offsets");
    const int64_t size = data_end - data_begin;
    if (begin > end || end > size)
      fail(concat("takes bytes ", begin, " to ", end, " of the ", size, " bytes of data"));
    const int64_t needed = count() * ir::bytes(entry_.dtype);
    if (end - begin != needed)
      fail(concat("takes ", end - begin, " bytes, ", needed, " are needed for ",
                  ir::name(entry_.dtype), ir::dims_str(entry_.dims)));
    entry_.begin = data_begin + begin, entry_.end = data_begin + end;
    return std::move(entry_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw GraphError(concat(where_, " ", what));
  }

  const json& member(const char* key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) fail(concat("has no ", key));
    return *found;
  }

  const json& list(const char* key) const {
    const json& value = member(key);
    if (!value.is_array()) fail(concat("has a ", key, " that is not a list"));
    return value;
  }

  int64_t natural(const json& value, const char* key) const {
    if (value.is_number_unsigned() && value.get<uint64_t>() <= uint64_t{1} << 62)
      return value.get<int64_t>();
    fail(concat("has ", value.dump(-1, ' ', true, json::error_handler_t::replace).substr(0, 40),
                " in its ", key, ", where an integer from 0 to 2^62 is needed"));
  }

  DType parse_dtype() const {
    const json& value = member("dtype");
    if (!value.is_string()) fail("has a dtype that is not a string");
    for (const WireType& wire : kWireTypes)
      if (wire.name == value.get_ref<const std::string&>()) return wire.dtype;
    fail(concat("has dtype ", in_quotes(value.get<std::string>()).substr(0, 40),
                "; F32 F64 F16 BF16 I64 I32 U32 U8 I8 BOOL can be read"));
  }

  int64_t count() const {
    try {
      return ir::element_count(entry_.dims);
    } catch (const GraphError& error) {
      fail(concat("cannot be: ", error.what()));
    }
  }

  const json& object_;
  std::string where_;
  TensorEntry entry_{};
};

// In the order of their data, the tensors fill it without overlap or hole.
void check_cover(const std::vector<TensorEntry>& entries, int64_t begin, int64_t end,
                 const std::string& path) {
  int64_t at = begin;
  for (const TensorEntry& entry : entries) {
    if (entry.begin != at)
      throw GraphError(concat(path, ": tensor ", in_quotes(entry.name), " starts at byte ",
                              entry.begin - begin, " of the data, ",
                              entry.begin < at ? "inside the tensor before it, which ends at "
                                               : "leaving a hole behind byte ",
                              at - begin));
    at = entry.end;
  }
  if (at != end)
    throw GraphError(concat(path, ": ", end - at, " bytes behind the last tensor belong to none"));
}

std::string_view wire_name(DType dtype) {
  const auto* wire = std::find_if(std::begin(kWireTypes), std::end(kWireTypes),
                                  [&](const WireType& w) { return w.dtype == dtype; });
  return wire->name;
}

std::string header_text(const std::vector<const TensorInfo*>& tensors, const Metadata& metadata,
                        const std::string& path) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[std::string(kMetadataKey)] = metadata;
  int64_t at = 0;
  for (const TensorInfo* t : tensors) {
    const int64_t end = at + ir::element_count(t->dims) * ir::bytes(t->dtype);
    header[t->name] = {
        {"dtype", wire_name(t->dtype)}, {"shape", t->dims}, {"data_offsets", {at, end}}};
    at = end;
  }
  try {
    std::string text = header.dump();
    text.append(kAlignment - 1 - (kLengthBytes + text.size() - 1) % kAlignment, ' ');
    return text;
  } catch (const json::exception& error) {
    throw GraphError(
        concat(path, ": a name or a text of the metadata is not UTF-8: ", error.what()));
  }
}

}  // namespace

SafetensorsReader::SafetensorsReader(InputFile file) : file_(std::move(file)) {
  const json header = read_header(file_);
  uint64_t length = 0;
  file_.read(0, &length, kLengthBytes);
  const int64_t begin = kLengthBytes + static_cast<int64_t>(length);
  for (const auto& [name, object] : header.items()) {
    if (name == kMetadataKey)
      metadata_ = parse_metadata(object, file_.path());
    else
      entries_.push_back(EntryParser(name, object, file_.path()).parse(begin, file_.size()));
  }
  std::stable_sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  check_cover(entries_, begin, file_.size(), file_.path());
  if (file_.is_regular()) mapped_ = std::make_shared<MappedFile>(file_);
}

// Kernels read whole vectors: behind the last tensor there must be so much of its last page.
bool SafetensorsReader::can_view(const TensorEntry& entry) const {
  constexpr int64_t kPage = 4096, kBehind = 64;
  const int64_t end = (mapped_ ? mapped_->size() : 0) / kPage * kPage + kPage;
  return mapped_ && entry.dtype != DType::pred && entry.begin < entry.end &&
         entry.begin % ir::bytes(entry.dtype) == 0 && entry.end + kBehind <= end;
}

const TensorEntry* SafetensorsReader::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const TensorEntry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

Array SafetensorsReader::read(const TensorEntry& entry) const {
  Array array(entry.dtype, entry.dims);
  file_.read(entry.begin, array.raw(), array.bytes());
  if (entry.dtype == DType::pred)
    for (int64_t i = 0; i < array.size(); ++i) array.set_integer(i, array.integer_at(i));  // 0 or 1
  return array;
}

const TensorEntry& SafetensorsReader::entry(std::string_view name) const {
  if (const TensorEntry* entry = find(name)) return *entry;
  throw GraphError(
      concat(file_.path(), ": has no tensor ", in_quotes(name), " among its ", entries_.size()));
}

Array SafetensorsReader::read(std::string_view name) const { return read(entry(name)); }

Array SafetensorsReader::view(std::string_view name) const {
  const TensorEntry& e = entry(name);
  if (!can_view(e)) return read(e);
  return Array::view(e.dtype, e.dims, mapped_->writable() + e.begin, mapped_, true);
}

void SafetensorsReader::will_need() const {
  if (mapped_) mapped_->will_need(0, mapped_->size());
}

NamedArrays SafetensorsReader::read_all() const {
  NamedArrays arrays;
  for (const TensorEntry& entry : entries_) arrays.add(entry.name, read(entry));
  return arrays;
}

NamedArrays read_safetensors(const std::string& path, Metadata* metadata) {
  const SafetensorsReader reader(path);
  if (metadata) *metadata = reader.metadata();
  return reader.read_all();
}

void write_safetensors(const std::string& path, std::span<const TensorInfo> tensors,
                       const MakeTensor& make, const Metadata& metadata) {
  std::vector<const TensorInfo*> ordered;
  for (const TensorInfo& t : tensors) {
    if (t.name == kMetadataKey)
      throw GraphError(concat(path, ": no tensor can be named ", kMetadataKey));
    ordered.push_back(&t);
  }
  std::sort(ordered.begin(), ordered.end(), [](const TensorInfo* a, const TensorInfo* b) {
    const int a_bytes = ir::bytes(a->dtype), b_bytes = ir::bytes(b->dtype);
    return a_bytes != b_bytes ? a_bytes > b_bytes : a->name < b->name;
  });
  const std::string header = header_text(ordered, metadata, path);
  const uint64_t length = header.size();
  AtomicFile file(path);
  file.write(&length, kLengthBytes);
  file.write(header);
  for (const TensorInfo* t : ordered) {
    const Array array = make(*t);
    WEFT_CHECK(array.dtype() == t->dtype && array.dims() == t->dims);
    file.write(array.raw(), static_cast<size_t>(array.bytes()));
  }
  file.commit();
}

void write_safetensors(const std::string& path, const NamedArrays& arrays,
                       const Metadata& metadata) {
  std::vector<TensorInfo> tensors;
  for (const NamedArray& a : arrays) tensors.push_back({a.name, a.array.dtype(), a.array.dims()});
  write_safetensors(
      path, tensors, [&](const TensorInfo& t) { return arrays.at(t.name); }, metadata);
}

}  // namespace weft::formats
