// frontend/formats/decompression.cpp -- zlib and libzstd, one buffer at a time.
#include "frontend/formats/decompression.h"

#include "ir/error.h"

#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace weft::formats {
namespace {

using ir::concat;
using ir::GraphError;

constexpr size_t kBytes = 1 << 16;
constexpr std::string_view kGzip("\x1F\x8B", 2), kZstandard("\x28\xB5\x2F\xFD", 4);

// What is read of the packed bytes, and not unpacked yet.
struct Input {
  ByteSource source;
  std::unique_ptr<char[]> bytes = std::make_unique<char[]>(kBytes);
  size_t begin = 0, end = 0;
  bool ended = false;  // a terminal would wait for another end

  explicit Input(ByteSource s) : source(std::move(s)) {}
  size_t left() const { return end - begin; }
  std::string_view view() const { return {bytes.get() + begin, left()}; }
  // Reads some behind what is there; false at the end.
  bool more() {
    if (begin == end) begin = end = 0;
    const size_t count = ended ? 0 : source.read(bytes.get() + end, kBytes - end);
    ended = count == 0;
    end += count;
    return count > 0;
  }
  // Does it begin with `mark`? Reads as long as it may.
  bool starts_with(std::string_view mark) {
    while (left() < mark.size() && mark.starts_with(view()))
      if (!more()) return false;
    return view().starts_with(mark);
  }
  [[noreturn]] void fail(std::string_view format, std::string_view what) const {
    throw GraphError(concat(source.name(), ": is ", format, " data that ", what));
  }
};

// Packed bytes into others.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // At most `size` > 0 bytes; 0 at the end of the last member.
  virtual size_t read(Input& input, void* data, size_t size) = 0;
};

class Gzip final : public Decoder {
 public:
  Gzip() {
    constexpr int kOnlyGzip = 16 + MAX_WBITS;
    if (inflateInit2(&stream_, kOnlyGzip) != Z_OK) throw ir::RuntimeError("zlib: out of memory");
  }
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  size_t read(Input& input, void* data, size_t size) override {
    stream_.next_out = static_cast<Bytef*>(data);
    stream_.avail_out = static_cast<uInt>(std::min(size, kBytes));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (input.left() == 0 && !input.more()) {
        if (!within_) return 0;
        input.fail("gzip", "ends before its end");
      }
      within_ = true;
      stream_.next_in = reinterpret_cast<Bytef*>(input.bytes.get() + input.begin);
      stream_.avail_in = static_cast<uInt>(input.left());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      input.begin = input.end - stream_.avail_in;
      if (status == Z_STREAM_END) {
        within_ = false;
        inflateReset(&stream_);
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        input.fail("gzip",
                   concat("is damaged: ", stream_.msg != nullptr ? stream_.msg : "no reason"));
      }
    }
    return wanted - stream_.avail_out;
  }

 private:
  z_stream stream_{};
  bool within_ = true;  // a member
};

class Zstandard final : public Decoder {
 public:
  Zstandard() : stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
    if (stream_ == nullptr) throw ir::RuntimeError("zstd: out of memory");
  }

  size_t read(Input& input, void* data, size_t size) override {
    ZSTD_outBuffer out{data, size, 0};
    while (out.pos == 0) {
      // What was taken in before may not have been given out yet.
      if (input.left() == 0 && !full_ && !input.more()) {
        if (!within_) return 0;
        input.fail("Zstandard", "ends before its end");
      }
      ZSTD_inBuffer in{input.bytes.get(), input.end, input.begin};
      const size_t left = ZSTD_decompressStream(stream_.get(), &out, &in);
      if (ZSTD_isError(left))
        input.fail("Zstandard", concat("is damaged: ", ZSTD_getErrorName(left)));
      input.begin = in.pos;
      within_ = left != 0;
      full_ = within_ && out.pos == size;
    }
    return out.pos;
  }

 private:
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream_;
  bool within_ = true;  // a frame
  bool full_ = false;   // the last output was
};

}  // namespace

struct DecompressedSource::Content {
  explicit Content(ByteSource source) : input(std::move(source)) {}

  void begin() {
    begun = true;
    if (input.starts_with(kGzip))
      decoder = std::make_unique<Gzip>();
    else if (input.starts_with(kZstandard))
      decoder = std::make_unique<Zstandard>();
  }

  Input input;
  std::unique_ptr<Decoder> decoder;  // none: bytes pass as they are
  bool begun = false;
};

DecompressedSource::DecompressedSource(ByteSource source)
    : content_(std::make_unique<Content>(std::move(source))) {}
DecompressedSource::DecompressedSource(DecompressedSource&&) noexcept = default;
DecompressedSource::~DecompressedSource() = default;

const std::string& DecompressedSource::name() const { return content_->input.source.name(); }

size_t DecompressedSource::read(void* data, size_t size) {
  Content& c = *content_;
  if (!c.begun) c.begin();
  if (size == 0) return 0;
  if (c.decoder) return c.decoder->read(c.input, data, size);
  if (c.input.left() == 0) return c.input.ended ? 0 : c.input.source.read(data, size);
  const size_t count = std::min(size, c.input.left());
  std::memcpy(data, c.input.bytes.get() + c.input.begin, count);
  c.input.begin += count;
  return count;
}

SourceBuffer::SourceBuffer(DecompressedSource source)
    : source_(std::move(source)), bytes_(new char[kBytes]) {}

SourceBuffer::int_type SourceBuffer::underflow() {
  const size_t count = source_.read(bytes_.get(), kBytes);
  if (count == 0) return traits_type::eof();
  setg(bytes_.get(), bytes_.get(), bytes_.get() + count);
  return traits_type::to_int_type(*gptr());
}

}  // namespace weft::formats
