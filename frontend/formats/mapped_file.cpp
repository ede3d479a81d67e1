// frontend/formats/mapped_file.cpp -- mmap and madvise.
#include "frontend/formats/mapped_file.h"

#include "frontend/formats/byte_source.h"
#include "ir/error.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace weft::formats {
namespace {

// The pages that lie in the range, all of each.
void advise(char* data, int64_t size, int64_t offset, int64_t count, int advice) {
  const int64_t page = ::sysconf(_SC_PAGESIZE);
  const int64_t begin = (offset + page - 1) / page * page;
  const int64_t end = offset + count >= size ? size : (offset + count) / page * page;
  if (begin < end) ::madvise(data + begin, static_cast<size_t>(end - begin), advice);
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const ByteSource file(path);
  if (!file.file_size()) throw ir::GraphError(path + ": is no regular file");
  size_ = *file.file_size();
  if (size_ == 0) return;
  void* memory =
      ::mmap(nullptr, static_cast<size_t>(size_), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (memory == MAP_FAILED)
    throw ir::GraphError(ir::concat(path, ": cannot be mapped: ", std::strerror(errno)));
  data_ = static_cast<char*>(memory);
}

MappedFile::MappedFile(const InputFile& file) : size_(file.size()) {
  if (!file.is_regular()) throw ir::GraphError(file.path() + ": is no regular file");
  if (size_ == 0) return;
  void* memory = ::mmap(nullptr, static_cast<size_t>(size_), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_NORESERVE, file.descriptor(), 0);
  if (memory == MAP_FAILED)
    throw ir::GraphError(ir::concat(file.path(), ": cannot be mapped: ", std::strerror(errno)));
  data_ = static_cast<char*>(memory);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, static_cast<size_t>(size_));
}

void MappedFile::will_need(int64_t offset, int64_t size) const {
  advise(data_, size_, offset, size, MADV_WILLNEED);
}

void MappedFile::release(int64_t offset, int64_t size) const {
  advise(data_, size_, offset, size, MADV_DONTNEED);
}

}  // namespace weft::formats
