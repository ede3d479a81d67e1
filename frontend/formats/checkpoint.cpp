// frontend/formats/checkpoint.cpp -- formats by their first bytes.
#include "frontend/formats/checkpoint.h"

#include "frontend/formats/digest.h"
#include "frontend/formats/input_file.h"
#include "frontend/formats/npz.h"
#include "frontend/formats/pytorch.h"
#include "frontend/formats/safetensors.h"
#include "ir/error.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

namespace weft::formats {
namespace {

using ir::concat;
using ir::GraphError;
using ir::NamedArray;
using ir::NamedArrays;

constexpr size_t kMostNamed = 5;  // of the tensors that a message is about

class SafetensorsCheckpoint final : public Checkpoint {
 public:
  explicit SafetensorsCheckpoint(InputFile file) : path_(file.path()), reader_(std::move(file)) {
    for (const TensorEntry& e : reader_.entries()) entries_.push_back({e.name, e.dtype, e.dims});
  }
  const std::string& path() const override { return path_; }
  const std::vector<TensorInfo>& entries() const override { return entries_; }
  ir::Array read(std::string_view name) const override { return reader_.read(name); }
  ir::Array view(std::string_view name) const override { return reader_.view(name); }
  void will_need() const override { reader_.will_need(); }
  const Metadata& metadata() const override { return reader_.metadata(); }

 private:
  std::string path_;
  SafetensorsReader reader_;
  std::vector<TensorInfo> entries_;
};

class PytorchCheckpoint final : public Checkpoint {
 public:
  explicit PytorchCheckpoint(InputFile file) : reader_(std::move(file)) {
    for (const auto& e : reader_.entries()) entries_.push_back({e.name, e.dtype, e.dims});
  }
  const std::string& path() const override { return reader_.path(); }
  const std::vector<TensorInfo>& entries() const override { return entries_; }
  ir::Array read(std::string_view name) const override { return reader_.read(name); }
  ir::Array view(std::string_view name) const override { return reader_.view(name); }
  void will_need() const override { reader_.will_need(); }

 private:
  PytorchReader reader_;
  std::vector<TensorInfo> entries_;
};

// Arrays of NumPy's files are found by reading them.
class NumpyCheckpoint final : public Checkpoint {
 public:
  NumpyCheckpoint(std::string path, NamedArrays arrays)
      : path_(std::move(path)), arrays_(std::move(arrays)), entries_(entries_of(arrays_)) {}
  const std::string& path() const override { return path_; }
  const std::vector<TensorInfo>& entries() const override { return entries_; }
  ir::Array read(std::string_view name) const override {
    if (const ir::Array* found = arrays_.find(name)) return *found;
    throw GraphError(concat(path_, ": has no '", name, "'"));
  }

 private:
  std::string path_;
  NamedArrays arrays_;
  std::vector<TensorInfo> entries_;
};

// "name" -> "model-00001-of-00002.safetensors", as the index has it.
std::map<std::string, std::string> weight_map(const std::string& path) {
  nlohmann::json index;
  try {
    index = nlohmann::json::parse(read_text_file(path));
  } catch (const nlohmann::json::exception&) {
    throw GraphError(concat(path, ": begins like JSON and is none"));
  }
  const auto found = index.find("weight_map");
  if (found == index.end() || !found->is_object() || found->empty())
    throw GraphError(concat(path, ": is JSON without a \"weight_map\" of tensors to files"));
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : found->items()) {
    if (!file.is_string())
      throw GraphError(concat(path, ": \"weight_map\" names no file for '", name, "'"));
    const auto text = file.get<std::string>();
    if (text.empty() || text == "." || text == ".." || text.find('/') != std::string::npos ||
        text.find('\0') != std::string::npos)
      throw GraphError(
          concat(path, ": '", name, "' is said to be in '", text, "', which is no file beside it"));
    files[name] = text;
  }
  return files;
}

// The first bytes of a file: a signature, or the length of a JSON header and its brace.
enum class Magic { safetensors, pytorch, json, npz, npy, none };

Magic magic_of(const InputFile& file) {
  const std::string start = file.head(9);
  if (begins_like_pytorch(file)) return Magic::pytorch;
  if (start.starts_with("PK\3\4") || start.starts_with("PK\5\6")) return Magic::npz;
  if (start.starts_with("\x93NUMPY")) return Magic::npy;
  if (start.size() == 9 && start[8] == '{') {
    uint64_t length = 0;
    std::memcpy(&length, start.data(), sizeof length);
    if (length <= static_cast<uint64_t>(file.size())) return Magic::safetensors;
  }
  const size_t first = start.find_first_not_of(" \t\r\n");
  return first != start.npos && start[first] == '{' ? Magic::json : Magic::none;
}

[[noreturn]] void fail_to_tell(const InputFile& file) {
  throw GraphError(
      concat(file.path(),
             ": is no file of tensors; safetensors, PyTorch's, an index of either (JSON), "
             "npz or npy is needed"));
}

// Not an index.
std::unique_ptr<Checkpoint> open_file(InputFile file) {
  switch (magic_of(file)) {
    case Magic::safetensors:
      return std::make_unique<SafetensorsCheckpoint>(std::move(file));
    case Magic::pytorch:
      return std::make_unique<PytorchCheckpoint>(std::move(file));
    case Magic::npz:
      return std::make_unique<NumpyCheckpoint>(file.path(), read_npz(file));
    case Magic::npy:
      return std::make_unique<NumpyCheckpoint>(file.path(), NamedArrays{{"", read_npy(file)}});
    case Magic::json:
    case Magic::none:
      break;
  }
  fail_to_tell(file);
}

class ShardedCheckpoint final : public Checkpoint {
 public:
  explicit ShardedCheckpoint(const std::string& path) : path_(path) {
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
    const std::map<std::string, std::string> files = weight_map(path);
    for (const auto& [name, file] : files) {
      if (shards_.contains(file)) continue;
      std::error_code error;
      if (!std::filesystem::exists(folder + file, error))
        throw GraphError(
            concat(path, ": '", name, "' is said to be in '", file, "', which is not there"));
      require_regular(folder + file);
      shards_.emplace(file, open_file(InputFile(folder + file)));
    }
    for (const auto& [name, file] : files) {
      const TensorInfo* e = shards_.at(file)->find(name);
      if (e == nullptr)
        throw GraphError(
            concat(folder, file, ": has no '", name, "', which ", path, " says it holds"));
      entries_.push_back(*e);
      places_.emplace(name, file);
    }
    for (const auto& [file, shard] : shards_)
      for (const TensorInfo& e : shard->entries())
        if (const auto at = places_.find(e.name); at == places_.end() || at->second != file)
          throw GraphError(
              concat(folder, file, ": holds '", e.name, "', which is not what ", path, " says"));
  }
  const std::string& path() const override { return path_; }
  const std::vector<TensorInfo>& entries() const override { return entries_; }
  ir::Array read(std::string_view name) const override { return shard_of(name).read(name); }
  ir::Array view(std::string_view name) const override { return shard_of(name).view(name); }
  void will_need() const override {
    for (const auto& [file, shard] : shards_) shard->will_need();
  }

 private:
  const Checkpoint& shard_of(std::string_view name) const {
    const auto at = places_.find(name);
    if (at == places_.end()) throw GraphError(concat(path_, ": has no '", name, "'"));
    return *shards_.at(at->second);
  }

  std::string path_;
  std::map<std::string, std::unique_ptr<Checkpoint>> shards_;  // by file
  std::map<std::string, std::string, std::less<>> places_;     // by tensor
  std::vector<TensorInfo> entries_;
};

// "'a', 'b' and 3 more"
std::string listed(const std::vector<std::string>& names) {
  std::string s;
  for (size_t i = 0; i < names.size() && i < kMostNamed; ++i)
    s += concat(i > 0 ? ", " : "", "'", names[i], "'");
  return names.size() > kMostNamed ? concat(s, " and ", names.size() - kMostNamed, " more") : s;
}

}  // namespace

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto at = std::find_if(entries().begin(), entries().end(),
                               [&](const TensorInfo& t) { return t.name == name; });
  return at == entries().end() ? nullptr : &*at;
}

NamedArrays Checkpoint::read_all() const {
  NamedArrays arrays;
  for (const TensorInfo& t : entries()) arrays.add(t.name, read(t.name));
  return arrays;
}

const Metadata& Checkpoint::metadata() const {
  static const Metadata none;
  return none;
}

std::vector<TensorInfo> entries_of(const NamedArrays& arrays) {
  std::vector<TensorInfo> entries;
  for (const NamedArray& a : arrays) entries.push_back({a.name, a.array.dtype(), a.array.dims()});
  return entries;
}

std::unique_ptr<Checkpoint> open_checkpoint(const std::string& path) {
  InputFile file(path);
  if (magic_of(file) == Magic::json) return std::make_unique<ShardedCheckpoint>(path);
  return open_file(std::move(file));
}

NamedArrays read_checkpoint(const std::string& path, Metadata* metadata) {
  const auto checkpoint = open_checkpoint(path);
  if (metadata != nullptr) *metadata = checkpoint->metadata();
  return checkpoint->read_all();
}

namespace {

template <typename ArrayOf>
std::string digest_of_tensors(std::vector<TensorInfo> entries, const ArrayOf& array_of) {
  std::sort(entries.begin(), entries.end(),
            [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
  Digest digest;
  for (const TensorInfo& t : entries) {
    digest.add_text(t.name);
    digest.add_text(concat(ir::name(t.dtype), ir::dims_str(t.dims)));
    const ir::Array a = array_of(t.name);
    a.fetch();
    digest.add(a.raw(), static_cast<size_t>(a.bytes()));
  }
  return digest.str();
}

}  // namespace

std::string content_digest(const Checkpoint& checkpoint) {
  return digest_of_tensors(checkpoint.entries(),
                           [&](const std::string& name) { return checkpoint.view(name); });
}

std::string content_digest(const NamedArrays& arrays) {
  return digest_of_tensors(entries_of(arrays),
                           [&](const std::string& name) { return arrays.at(name); });
}

void check_entries(const std::string& path, std::span<const TensorInfo> entries,
                   std::span<const WantedTensor> wanted) {
  std::map<std::string_view, const TensorInfo*> there;
  for (const TensorInfo& t : entries) there.emplace(t.name, &t);
  std::vector<std::string> missing, extra, other;
  for (const WantedTensor& w : wanted) {
    const auto at = there.find(w.name);
    if (at == there.end()) {
      missing.push_back(w.name + " " + ir::dims_str(w.dims));
      continue;
    }
    const TensorInfo& t = *at->second;
    if (!ir::is_float(t.dtype) || t.dims != w.dims)
      other.push_back(concat(w.name, " ", ir::name(t.dtype), ir::dims_str(t.dims), ", needed ",
                             ir::dims_str(w.dims)));
    there.erase(at);
  }
  for (const auto& [name, t] : there)
    extra.push_back(concat(name, " ", ir::name(t->dtype), ir::dims_str(t->dims)));
  std::string message;
  const auto add = [&](std::string_view what, const std::vector<std::string>& names) {
    if (!names.empty()) message += concat(message.empty() ? "" : "; ", what, " ", listed(names));
  };
  add("lacks", missing);
  add("holds beside what is needed", extra);
  add("has of another shape", other);
  if (!message.empty()) throw GraphError(concat(path, ": ", message));
}

}  // namespace weft::formats
