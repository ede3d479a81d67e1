// frontend/formats/npz.cpp -- .npy files, and .npz through libzip.
#include "frontend/formats/npz.h"

#include "frontend/formats/atomic_file.h"
#include "frontend/formats/npy.h"
#include "frontend/formats/text.h"
#include "ir/error.h"

#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <deque>
#include <memory>

namespace weft::formats {
namespace {

using ir::Array;
using ir::concat;
using ir::GraphError;
using ir::NamedArray;
using ir::NamedArrays;
using ir::RuntimeError;

constexpr std::string_view kExtension = ".npy";
constexpr std::string_view kNpyMagic = "\x93NUMPY", kZipMagic = "PK";
constexpr std::string_view kEmptyArchive("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 22);
constexpr zip_uint64_t kMaxDeflateRatio = 1032;  // of deflate itself

struct Closer {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* file) const { zip_fclose(file); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Closer>;
using ZipFile = std::unique_ptr<zip_file_t, Closer>;
using ZipSource = std::unique_ptr<zip_source_t, Closer>;

std::string text_of(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

[[noreturn]] void fail_to_open(const std::string& path, const std::string& why) {
  throw GraphError(concat(path, ": cannot be read as .npz: ", why));
}

// An archive that came through a pipe is in memory, which must outlive what is returned.
Archive open_archive(const InputFile& file) {
  int code = 0;
  if (file.is_regular()) {
    const int descriptor = ::dup(file.descriptor());
    Archive archive(zip_fdopen(descriptor, 0, &code));
    if (!archive) {
      ::close(descriptor);
      fail_to_open(file.path(), text_of(code));
    }
    return archive;
  }
  zip_error_t error;
  zip_error_init(&error);
  ZipSource source(
      zip_source_buffer_create(file.content().data(), file.content().size(), 0, &error));
  Archive archive(source ? zip_open_from_source(source.get(), ZIP_RDONLY, &error) : nullptr);
  if (!archive) fail_to_open(file.path(), zip_error_strerror(&error));
  (void)source.release();  // the archive owns it now
  return archive;
}

// Name and sizes of an entry; what it claims must be possible in what is left of the file.
zip_stat_t checked_entry(zip_t* archive, zip_uint64_t index, int64_t& bytes_left,
                         const std::string& path) {
  zip_stat_t entry;
  zip_stat_init(&entry);
  if (zip_stat_index(archive, index, ZIP_FL_ENC_RAW, &entry) != 0)
    throw GraphError(concat(path, ": entry ", index, ": ", zip_strerror(archive)));
  constexpr zip_uint64_t kNeeded =
      ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if ((entry.valid & kNeeded) != kNeeded)
    throw GraphError(concat(path, ": entry ", index, ": its name or size is missing"));
  const std::string_view name = entry.name;
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == 0x7F; };
  if (find_malformed_utf8(name) != std::string_view::npos ||
      std::any_of(name.begin(), name.end(), is_control))
    throw GraphError(concat(path, ": entry ", index, ": its name is not printable UTF-8"));
  const std::string where = concat(path, ": entry '", entry.name, "'");
  if (entry.comp_method != ZIP_CM_STORE && entry.comp_method != ZIP_CM_DEFLATE)
    throw GraphError(concat(where, ": is compressed by method ", entry.comp_method,
                            "; stored and deflated entries can be read"));
  if (entry.comp_size > static_cast<zip_uint64_t>(bytes_left))
    throw GraphError(concat(where, ": is said to take ", entry.comp_size, " bytes, the file has ",
                            bytes_left, " left"));
  bytes_left -= static_cast<int64_t>(entry.comp_size);
  const bool deflated = entry.comp_method == ZIP_CM_DEFLATE;
  if (deflated ? entry.size / kMaxDeflateRatio > entry.comp_size : entry.size != entry.comp_size)
    throw GraphError(
        concat(where, ": ", entry.comp_size, " bytes cannot hold the ", entry.size, " claimed"));
  return entry;
}

Array read_entry(zip_t* archive, zip_uint64_t index, int64_t size, const std::string& where) {
  const ZipFile file(zip_fopen_index(archive, index, 0));
  if (!file) throw GraphError(concat(where, ": ", zip_strerror(archive)));
  const auto read = [&](void* data, int64_t count) {
    const int64_t got = zip_fread(file.get(), data, static_cast<zip_uint64_t>(count));
    if (got == count) return;
    if (got < 0) throw GraphError(concat(where, ": ", zip_file_strerror(file.get())));
    throw GraphError(concat(where, ": ends ", count - got, " bytes early"));
  };
  const Array array = read_npy(read, size, where);
  char beyond;
  const int64_t more =
      zip_fread(file.get(), &beyond, 1);  // the end is where the checksum is compared
  if (more < 0) throw GraphError(concat(where, ": ", zip_file_strerror(file.get())));
  if (more > 0) throw GraphError(concat(where, ": is longer than the ", size, " bytes claimed"));
  return array;
}

}  // namespace

Array read_npy(const InputFile& file) {
  // A pipe is read no further than it must be to see that it holds something else.
  if (!file.is_regular() && !file.starts_with(kNpyMagic))
    throw GraphError(file.path() + ": is no .npy file");
  int64_t offset = 0;
  const auto read = [&](void* data, int64_t size) {
    file.read(offset, data, size);
    offset += size;
  };
  return read_npy(read, file.size(), file.path());
}

NamedArrays read_npz(const InputFile& file) {
  const std::string& name = file.path();
  if (!file.is_regular() && !file.starts_with(kZipMagic))
    throw GraphError(name + ": is no .npz file");
  int64_t bytes_left = file.size();
  if (bytes_left == 0)
    throw GraphError(name + ": is empty");  // an archive without entries to libzip
  const Archive archive = open_archive(file);
  NamedArrays arrays;
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0));
  for (zip_uint64_t i = 0; i < count; ++i) {
    const zip_stat_t entry = checked_entry(archive.get(), i, bytes_left, name);
    std::string array = entry.name;
    const std::string where = concat(name, ": entry '", array, "'");
    if (array.size() <= kExtension.size() || !array.ends_with(kExtension))
      throw GraphError(concat(where, ": its name does not end in .npy"));
    array.resize(array.size() - kExtension.size());
    if (arrays.contains(array)) throw GraphError(concat(where, ": is there twice"));
    arrays.add(std::move(array),
               read_entry(archive.get(), i, static_cast<int64_t>(entry.size), where));
  }
  return arrays;
}

namespace {

// What libzip writes goes to `file`; a C callback, so nothing may be thrown through it.
struct Sink {
  AtomicFile& file;
  zip_error_t error{};
  zip_uint64_t length = 0;
  std::string message{};
};

int64_t write(Sink& sink, const void* data, zip_uint64_t size) {
  try {
    sink.file.write(data, size);
    sink.length = std::max(sink.length, static_cast<zip_uint64_t>(sink.file.position()));
    return static_cast<int64_t>(size);
  } catch (const RuntimeError& error) {
    sink.message = error.what();
    zip_error_set(&sink.error, ZIP_ER_WRITE, 0);
    return -1;
  }
}

int64_t seek(Sink& sink, void* data, zip_uint64_t size) {
  const auto here = static_cast<zip_uint64_t>(sink.file.position());
  const int64_t to = zip_source_seek_compute_offset(here, sink.length, data, size, &sink.error);
  if (to < 0) return -1;
  sink.file.seek(to);
  return 0;
}

zip_int64_t sink_callback(void* state, void* data, zip_uint64_t size, zip_source_cmd_t command) {
  Sink& sink = *static_cast<Sink*>(state);
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return zip_source_make_command_bitmap(
          ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE, ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR,
          ZIP_SOURCE_FREE, ZIP_SOURCE_SEEK, ZIP_SOURCE_TELL, ZIP_SOURCE_BEGIN_WRITE,
          ZIP_SOURCE_COMMIT_WRITE, ZIP_SOURCE_ROLLBACK_WRITE, ZIP_SOURCE_SEEK_WRITE,
          ZIP_SOURCE_TELL_WRITE, ZIP_SOURCE_WRITE, ZIP_SOURCE_REMOVE, -1);
    case ZIP_SOURCE_STAT: {
      auto* status = static_cast<zip_stat_t*>(data);
      zip_stat_init(status);
      status->size = 0;
      status->valid = ZIP_STAT_SIZE;
      return sizeof(zip_stat_t);
    }
    case ZIP_SOURCE_WRITE:
      return write(sink, data, size);
    case ZIP_SOURCE_SEEK_WRITE:
      return seek(sink, data, size);
    case ZIP_SOURCE_TELL_WRITE:
      return sink.file.position();
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&sink.error, data, size);
    default:
      return 0;
  }
}

// One entry while it is written; libzip reads both parts when the archive is closed.
struct Pending {
  Array array;
  std::string header;
  zip_buffer_fragment_t parts[2];

  explicit Pending(const Array& written) : array(as_numpy(written)), header(npy_header(array)) {
    parts[0] = {reinterpret_cast<zip_uint8_t*>(header.data()), header.size()};
    parts[1] = {array.data<zip_uint8_t>(), static_cast<zip_uint64_t>(array.bytes())};
  }
};

void add_entry(zip_t* archive, const std::string& name, Pending& pending, const std::string& path) {
  const zip_uint64_t parts = pending.array.bytes() > 0 ? 2 : 1;
  ZipSource source(zip_source_buffer_fragment(archive, pending.parts, parts, 0));
  const std::string file_name = name + std::string(kExtension);
  const int64_t added =
      source ? zip_file_add(archive, file_name.c_str(), source.get(), ZIP_FL_ENC_UTF_8) : -1;
  if (added < 0)
    throw GraphError(concat(path, ": cannot add '", name, "': ", zip_strerror(archive)));
  (void)source.release();  // the archive owns it now
  const auto index = static_cast<zip_uint64_t>(added);
  zip_set_file_compression(archive, index, ZIP_CM_STORE, 0);
  zip_file_set_dostime(archive, index, 0, 0x21, 0);  // 1980-01-01: the same bytes every time
}

Archive create_archive(Sink& sink, const std::string& path) {
  zip_error_t error;
  zip_error_init(&error);
  ZipSource target(zip_source_function_create(sink_callback, &sink, &error));
  Archive archive(target ? zip_open_from_source(target.get(), ZIP_CREATE | ZIP_TRUNCATE, &error)
                         : nullptr);
  if (!archive) throw RuntimeError(concat(path, ": cannot write: ", zip_error_strerror(&error)));
  (void)target.release();  // the archive owns it now
  return archive;
}

void write_archive(AtomicFile& file, const NamedArrays& arrays, const std::string& path) {
  Sink sink{file};
  zip_error_init(&sink.error);
  std::deque<Pending> pending;  // outlives the archive, which reads it when closed
  Archive archive = create_archive(sink, path);
  for (const NamedArray& named : arrays)
    add_entry(archive.get(), named.name, pending.emplace_back(named.array), path);
  if (zip_close(archive.get()) != 0)
    throw RuntimeError(sink.message.empty()
                           ? concat(path, ": cannot write: ", zip_strerror(archive.get()))
                           : sink.message);
  (void)archive.release();  // closed
}

}  // namespace

Array read_npy(const std::string& path) { return read_npy(InputFile(path)); }

void write_npy(const std::string& path, const Array& array) {
  const Array written = as_numpy(array);
  AtomicFile file(path);
  file.write(npy_header(written));
  file.write(written.raw(), static_cast<size_t>(written.bytes()));
  file.commit();
}

NamedArrays read_npz(const std::string& path) { return read_npz(InputFile(path)); }

void write_npz(const std::string& path, const NamedArrays& arrays) {
  AtomicFile file(path);
  if (arrays.empty())  // libzip would write nothing at all
    file.write(kEmptyArchive);
  else
    write_archive(file, arrays, path);
  file.commit();
}

}  // namespace weft::formats
