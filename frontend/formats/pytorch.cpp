// frontend/formats/pytorch.cpp -- finding the bytes of what a pickle describes.
#include "frontend/formats/pytorch.h"

#include "frontend/formats/mapped_file.h"
#include "frontend/formats/pickle.h"
#include "frontend/formats/zip_directory.h"
#include "ir/error.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace weft::formats {
namespace {

using ir::Array;
using ir::concat;
using ir::DType;
using ir::GraphError;

constexpr std::string_view kPickleName = "data.pkl";
constexpr std::string_view kMagicPickle("\x80\x02\x8A\x0A", 4);  // PROTO 2, LONG1 of 10 bytes
constexpr std::string_view kMagicNumber = "1950a86a20f9469cfc6c";
constexpr uintptr_t kAlignment = 64;  // of arrays that are used where they lie
constexpr int64_t kMostShared = 16;   // bytes of all tensors for each of the file
constexpr int64_t kLargestPickle = int64_t{1} << 28;

// Where a storage's elements lie.
struct Place {
  int64_t begin = 0, size = 0;
  std::optional<uint32_t> crc = {};
  bool checked = false;
};

// The bytes of a whole file: mapped, or of a pipe.
class Bytes {
 public:
  explicit Bytes(const InputFile& file) {
    if (file.is_regular()) {
      mapped_ = std::make_shared<MappedFile>(file);
      begin_ = mapped_->writable();
      size_ = mapped_->size();
      owner_ = mapped_;
    } else {
      size_ = file.size();
      auto text = std::make_shared<std::string>(file.read_text(0, size_));
      begin_ = text->data();
      owner_ = std::move(text);
    }
  }
  char* at(int64_t offset) const { return begin_ + offset; }
  std::string_view view(int64_t offset, int64_t size) const {
    return {begin_ + offset, static_cast<size_t>(size)};
  }
  int64_t size() const { return size_; }
  const std::shared_ptr<void>& owner() const { return owner_; }
  void will_need() const {
    if (mapped_ != nullptr) mapped_->will_need(0, size_);
  }

 private:
  std::shared_ptr<MappedFile> mapped_;  // null: of a pipe
  std::shared_ptr<void> owner_;
  char* begin_ = nullptr;
  int64_t size_ = 0;
};

uint32_t crc_of(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

// Elements of a view, row by row, into `to`.
void gather(const PickledTensor& t, const char* from, int64_t bytes, char* to) {
  const size_t rank = t.dims.size();
  std::vector<int64_t> index(rank, 0);
  int64_t at = t.offset, left = ir::element_count(t.dims);
  for (; left > 0; --left) {
    std::memcpy(to, from + at * bytes, static_cast<size_t>(bytes));
    to += bytes;
    for (size_t axis = rank; axis-- > 0;) {
      at += t.strides[axis];
      if (++index[axis] < t.dims[axis]) break;
      at -= t.dims[axis] * t.strides[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

struct PytorchReader::Content {
  explicit Content(InputFile opened) : file(std::move(opened)), bytes(file) {
    if (file.starts_with("PK"))
      read_archive();
    else
      read_sequence();
    int64_t total = 0;
    for (const auto& [name, t] : tensors) {
      find_place(*t.storage, name);
      entries.push_back({name, t.storage->dtype, t.dims});
      total += ir::element_count(t.dims) * ir::bytes(t.storage->dtype);
      if (total / kMostShared > bytes.size())
        fail("its tensors are views of the same bytes more often than is accepted");
    }
  }

  [[noreturn]] void fail(const std::string& why) const {
    throw GraphError(concat(file.path(), ": ", why));
  }

  // Of a zip archive.
  void read_archive() {
    const std::vector<ZipEntry> all = read_zip_directory(file);
    const ZipEntry* described = nullptr;
    for (const ZipEntry& e : all)
      if (e.name == kPickleName || e.name.ends_with(concat("/", kPickleName))) {
        if (described != nullptr)
          fail(concat("has both '", described->name, "' and '", e.name, "'"));
        described = &e;
      }
    if (described == nullptr)
      fail("is a zip archive of neither NumPy's arrays nor PyTorch's tensors: it has no data.pkl");
    std::string folder = described->name;
    folder.resize(folder.size() - kPickleName.size());
    for (const ZipEntry& e : all) {
      const Place place{.begin = e.begin, .size = e.size, .crc = e.crc};
      if (e.name.starts_with(folder + "data/"))
        places.emplace(e.name.substr(folder.size() + 5), place);
      if (e.name == folder + "byteorder" && bytes.view(e.begin, e.size) != "little")
        fail("has tensors of the byte order 'big'; 'little' is needed");
    }
    if (described->size > kLargestPickle)
      fail(concat("its data.pkl has ", described->size, " bytes, at most ", kLargestPickle,
                  " are accepted"));
    const std::string_view text = bytes.view(described->begin, described->size);
    if (crc_of(text) != described->crc) fail("its data.pkl is damaged: its checksum is another");
    pickle = std::make_unique<Pickle>(text, concat(file.path(), ": data.pkl"));
    tensors = pickle->tensors();
  }

  // Of pickles one behind the other.
  void read_sequence() {
    int64_t at = 0;
    const auto next = [&](const std::string& what) {
      const int64_t left = std::min(bytes.size() - at, kLargestPickle);
      auto one = std::make_unique<Pickle>(bytes.view(at, left), concat(file.path(), ": ", what));
      at += static_cast<int64_t>(one->bytes());
      return one;
    };
    if (next("magic number")->integer() != kMagicNumber) fail("is no file of torch.save");
    if (const std::string version = next("version")->integer(); version != "3e9")
      fail(concat("is of version 0x", version, "; 0x3e9 is known"));
    if (!next("machine")->flag("little_endian", true))
      fail("has tensors of the byte order 'big'; 'little' is needed");
    pickle = next("tensors");
    tensors = pickle->tensors();
    std::unordered_map<std::string_view, const PickledStorage*> by_key;
    for (const auto& [name, t] : tensors) by_key.emplace(t.storage->key, t.storage);
    for (const std::string& key : next("storages")->texts()) {
      const auto known = by_key.find(key);
      if (known == by_key.end()) fail("has a storage that no tensor is of");
      uint64_t count = 0;
      if (bytes.size() - at < static_cast<int64_t>(sizeof count))
        fail("is cut off before a storage");
      std::memcpy(&count, bytes.at(at), sizeof count);
      at += sizeof count;
      const int64_t width = ir::bytes(known->second->dtype);
      if (count > static_cast<uint64_t>((bytes.size() - at) / width))
        fail(concat("is cut off in a storage of ", count, " elements"));
      const int64_t size = static_cast<int64_t>(count) * width;
      if (!places.emplace(key, Place{.begin = at, .size = size}).second)
        fail("has a storage twice");
      at += size;
    }
  }

  // That the storage has the bytes that the tensor needs.
  void find_place(const PickledStorage& storage, const std::string& name) const {
    const auto place = places.find(storage.key);
    if (place == places.end())
      fail(concat("has no elements for '", name, "': there is no data/", storage.key));
    const int64_t needed = storage.count * ir::bytes(storage.dtype);
    if (place->second.size != needed)
      fail(concat("'", name, "' is of ", storage.count, " elements, for which ", needed,
                  " bytes are needed; data/", storage.key, " has ", place->second.size));
  }

  // Elements of a storage, compared with their checksum.
  const char* elements(const PickledStorage& storage, const std::string& name) {
    const std::scoped_lock lock(checking);
    Place& place = places.find(storage.key)->second;
    if (place.crc && !place.checked && crc_of(bytes.view(place.begin, place.size)) != *place.crc)
      fail(concat("'", name, "' is damaged: the checksum of data/", storage.key, " is another"));
    place.checked = true;
    return bytes.at(place.begin);
  }

  // `kept`: it is not written to.
  Array read(const std::string& name, const PickledTensor& t, bool kept) {
    const DType dtype = t.storage->dtype;
    const int64_t width = ir::bytes(dtype);
    const char* from = elements(*t.storage, name);
    char* first = const_cast<char*>(from) + t.offset * width;
    if (t.is_dense() && dtype != DType::pred && ir::element_count(t.dims) > 0 &&
        reinterpret_cast<uintptr_t>(first) % kAlignment == 0)
      return Array::view(dtype, t.dims, first, bytes.owner(), kept && file.is_regular());
    Array array(dtype, t.dims);
    if (t.is_dense())
      std::copy_n(first, array.bytes(), static_cast<char*>(array.raw()));
    else
      gather(t, from, width, static_cast<char*>(array.raw()));
    if (dtype == DType::pred)
      for (int64_t i = 0; i < array.size(); ++i)
        array.set_integer(i, array.integer_at(i));  // 0 or 1
    return array;
  }

  InputFile file;
  Bytes bytes;
  std::unique_ptr<Pickle> pickle;
  std::vector<std::pair<std::string, PickledTensor>> tensors;
  std::vector<Entry> entries;
  std::map<std::string, Place, std::less<>> places;  // by key
  std::mutex checking;
};

bool begins_like_pytorch(const InputFile& file) {
  if (file.starts_with(kMagicPickle)) return true;
  const std::string first = first_zip_name(file);
  return !first.empty() && !first.ends_with(".npy");
}

PytorchReader::PytorchReader(InputFile file)
    : content_(std::make_unique<Content>(std::move(file))) {}
PytorchReader::PytorchReader(PytorchReader&&) noexcept = default;
PytorchReader::~PytorchReader() = default;

const std::string& PytorchReader::path() const { return content_->file.path(); }
const std::vector<PytorchReader::Entry>& PytorchReader::entries() const {
  return content_->entries;
}

Array PytorchReader::read(std::string_view name) const { return array(name, false); }
void PytorchReader::will_need() const { content_->bytes.will_need(); }
Array PytorchReader::view(std::string_view name) const { return array(name, true); }

Array PytorchReader::array(std::string_view name, bool kept) const {
  for (const auto& [known, t] : content_->tensors)
    if (known == name) return content_->read(known, t, kept);
  content_->fail(concat("has no '", name, "'"));
}

}  // namespace weft::formats
