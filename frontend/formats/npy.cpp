// frontend/formats/npy.cpp -- the .npy layout.
#include "frontend/formats/npy.h"

#include "ir/error.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace weft::formats {
namespace {

using ir::Array;
using ir::concat;
using ir::Dims;
using ir::DType;
using ir::GraphError;

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr int64_t kMaxHeader = 1 << 20;
constexpr size_t kMaxRank = 64;

struct WireType {
  std::string_view code;  // of NumPy, without the byte order
  DType dtype;            // in memory
  int bytes;              // in the file
};

// The first row of a dtype is the one that is written.
constexpr WireType kWireTypes[] = {
    {"f4", DType::f32, 4},  {"f8", DType::f64, 8}, {"f2", DType::f16, 2}, {"i8", DType::s64, 8},
    {"i4", DType::s32, 4},  {"u4", DType::u32, 4}, {"u1", DType::u8, 1},  {"i1", DType::s8, 1},
    {"b1", DType::pred, 1}, {"i2", DType::s32, 2}, {"u2", DType::s32, 2}, {"u8", DType::s64, 8},
};

struct Header {
  std::optional<std::string> type;
  std::optional<bool> fortran_order;
  std::optional<Dims> dims;
};

// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

  Header parse() {
    Header header;
    expect('{');
    while (!accept('}')) {
      parse_entry(header);
      if (accept(',')) continue;
      expect('}');
      break;
    }
    skip_space();
    if (!rest_.empty()) fail("text behind its closing brace");
    if (!header.type) fail("no 'descr'");
    if (!header.fortran_order) fail("no 'fortran_order'");
    if (!header.dims) fail("no 'shape'");
    return header;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw GraphError(concat(where_, ": the .npy header has ", what));
  }

  void skip_space() {
    const size_t at = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(std::min(at, rest_.size()));
  }

  bool accept(char c) {
    skip_space();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) {
    if (!accept(c)) fail(concat(found(), " where '", c, "' is needed"));
  }

  // The next character, fit to be printed.
  std::string found() const {
    if (rest_.empty()) return "its end";
    const char c = rest_.front();
    return c >= ' ' && c <= '~' ? concat("'", c, "'")
                                : concat("byte ", static_cast<int>(static_cast<uint8_t>(c)));
  }

  std::string parse_string() {
    skip_space();
    if (rest_.empty() || (rest_[0] != '\'' && rest_[0] != '"'))
      fail(concat(found(), " where a quoted string is needed"));
    const size_t end = rest_.find(rest_[0], 1);
    if (end == std::string_view::npos) fail("a string without its closing quote");
    std::string text(rest_.substr(1, end - 1));
    const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
    if (!std::all_of(text.begin(), text.end(), printable)) fail("a string that is not ASCII");
    rest_.remove_prefix(end + 1);
    return text;
  }

  bool parse_bool() {
    skip_space();
    for (const bool value : {false, true}) {
      const std::string_view name = value ? "True" : "False";
      if (!rest_.starts_with(name)) continue;
      rest_.remove_prefix(name.size());
      return value;
    }
    fail("a 'fortran_order' that is neither True nor False");
  }

  int64_t parse_dim() {
    skip_space();
    int64_t dim = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), dim);
    if (error == std::errc::result_out_of_range) fail("a dim that exceeds 2^63 - 1");
    if (error != std::errc{}) fail(concat(found(), " where a dim is needed"));
    if (dim < 0) fail(concat("the negative dim ", dim));
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    if (rest_.starts_with('L')) rest_.remove_prefix(1);  // a long of Python 2
    return dim;
  }

  Dims parse_dims() {
    Dims dims;
    expect('(');
    while (!accept(')')) {
      if (dims.size() == kMaxRank) fail(concat("more than ", kMaxRank, " dims"));
      dims.push_back(parse_dim());
      if (accept(',')) continue;
      expect(')');
      break;
    }
    return dims;
  }

  void parse_entry(Header& header) {
    const std::string key = parse_string();
    expect(':');
    skip_space();
    if (key == "descr") {
      if (header.type) fail("two entries 'descr'");
      if (rest_.starts_with('[')) fail("a structured 'descr', where one plain type is needed");
      header.type = parse_string();
    } else if (key == "fortran_order") {
      if (header.fortran_order) fail("two entries 'fortran_order'");
      header.fortran_order = parse_bool();
    } else if (key == "shape") {
      if (header.dims) fail("two entries 'shape'");
      header.dims = parse_dims();
    } else {
      fail(concat("the unknown entry '", key, "'"));
    }
  }

  std::string_view rest_;
  const std::string& where_;
};

uint32_t little_endian(const unsigned char* bytes, int count) {
  uint32_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | bytes[i];
  return value;
}

// Everything in front of the data; `size` is lowered by its length.
Header read_header(const ByteReader& read, int64_t& size, const std::string& where) {
  unsigned char start[12];
  if (size < 10)
    throw GraphError(concat(where, ": has ", size, " bytes, a .npy array at least 10"));
  read(start, 8);
  if (std::string_view(reinterpret_cast<char*>(start), kMagic.size()) != kMagic)
    throw GraphError(concat(where, ": does not start with \\x93NUMPY, as .npy arrays do"));
  const int version = start[6];
  if (version < 1 || version > 3)
    throw GraphError(concat(where, ": is .npy version ", version, ", known are 1 to 3"));
  const int length_bytes = version == 1 ? 2 : 4;
  size -= 8 + length_bytes;
  if (size < 0) throw GraphError(concat(where, ": ends inside the .npy header"));
  read(start + 8, length_bytes);
  const int64_t length = little_endian(start + 8, length_bytes);
  if (length > std::min(size, kMaxHeader))
    throw GraphError(concat(where, ": the .npy header is said to have ", length, " bytes, ",
                            std::min(size, kMaxHeader), " are possible"));
  std::string text(static_cast<size_t>(length), '\0');
  read(text.data(), length);
  size -= length;
  return HeaderParser(text, where).parse();
}

const WireType& wire_type(const std::string& type, const std::string& where) {
  const std::string_view orders = "<>|=";
  if (!type.empty() && orders.find(type[0]) != std::string_view::npos) {
    const std::string_view code = std::string_view(type).substr(1);
    for (const WireType& wire : kWireTypes)
      if (wire.code == code && (type[0] != '|' || wire.bytes == 1)) return wire;
  }
  throw GraphError(concat(where, ": has elements of NumPy type '", type,
                          "'; f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1 can be read"));
}

int64_t checked_count(const Dims& dims, const std::string& where) {
  try {
    return ir::element_count(dims);
  } catch (const GraphError& error) {
    throw GraphError(concat(where, ": ", error.what()));
  }
}

void swap_bytes(void* data, int64_t count, int bytes) {
  auto* at = static_cast<char*>(data);
  for (int64_t i = 0; i < count; ++i, at += bytes) std::reverse(at, at + bytes);
}

template <typename From>
Array widen(const std::vector<char>& raw, DType to, const Dims& dims, const std::string& where) {
  Array array(to, dims);
  for (int64_t i = 0; i < array.size(); ++i) {
    From value;
    std::memcpy(&value, raw.data() + i * static_cast<int64_t>(sizeof value), sizeof value);
    if (!std::in_range<int64_t>(value))
      throw GraphError(
          concat(where, ": the element ", value, " of NumPy type u8 exceeds 2^63 - 1"));
    array.set_integer(i, static_cast<int64_t>(value));
  }
  return array;
}

// Element (i0, i1, ...) lies at i0 + n0 * (i1 + n1 * (...)).
Array from_fortran_order(const Array& stored) {
  Array array(stored.dtype(), stored.dims());
  const int width = ir::bytes(stored.dtype());
  const int rank = stored.rank();
  Dims index(static_cast<size_t>(rank), 0), strides(static_cast<size_t>(rank), 1);
  for (int axis = 1; axis < rank; ++axis) strides[axis] = strides[axis - 1] * stored.dim(axis - 1);
  int64_t from = 0;
  for (int64_t to = 0; to < array.size(); ++to) {
    std::memcpy(array.data<char>() + to * width, stored.data<char>() + from * width, width);
    for (int axis = rank - 1; axis >= 0; --axis) {
      from += strides[axis];
      if (++index[axis] < stored.dim(axis)) break;
      from -= strides[axis] * index[axis];
      index[axis] = 0;
    }
  }
  return array;
}

Array read_data(const ByteReader& read, const WireType& wire, bool swapped, const Dims& dims,
                int64_t size, const std::string& where) {
  const int64_t count = size / wire.bytes;
  if (wire.bytes == ir::bytes(wire.dtype) && wire.code != "u8") {
    Array array(wire.dtype, dims);
    read(array.raw(), size);
    if (swapped) swap_bytes(array.raw(), count, wire.bytes);
    if (wire.dtype == DType::pred)
      for (int64_t i = 0; i < count; ++i) array.set_integer(i, array.integer_at(i));  // 0 or 1
    return array;
  }
  std::vector<char> raw(static_cast<size_t>(size));
  read(raw.data(), size);
  if (swapped) swap_bytes(raw.data(), count, wire.bytes);
  if (wire.code == "i2") return widen<int16_t>(raw, wire.dtype, dims, where);
  if (wire.code == "u2") return widen<uint16_t>(raw, wire.dtype, dims, where);
  return widen<uint64_t>(raw, wire.dtype, dims, where);
}

}  // namespace

Array read_npy(const ByteReader& read, int64_t size, const std::string& where) {
  const Header header = read_header(read, size, where);
  const WireType& wire = wire_type(*header.type, where);
  const int64_t count = checked_count(*header.dims, where);
  if (count != size / wire.bytes || size % wire.bytes != 0)
    throw GraphError(concat(where, ": ", ir::dims_str(*header.dims), " of ", wire.bytes,
                            " bytes each does not fill the ", size, " bytes behind the header"));
  const bool swapped = header.type->front() == '>';
  const Array array = read_data(read, wire, swapped, *header.dims, size, where);
  return *header.fortran_order && array.rank() > 1 ? from_fortran_order(array) : array;
}

std::string npy_header(const Array& array) {
  const auto* wire = std::find_if(std::begin(kWireTypes), std::end(kWireTypes),
                                  [&](const WireType& w) { return w.dtype == array.dtype(); });
  std::string dims;
  for (const int64_t dim : array.dims()) dims += std::to_string(dim) + ", ";
  if (array.rank() > 1) dims.resize(dims.size() - 2);
  if (array.rank() == 1) dims.pop_back();
  std::string text = concat("{'descr': '", wire->bytes == 1 ? '|' : '<', wire->code,
                            "', 'fortran_order': False, 'shape': (", dims, "), }");
  const size_t long_prefix = kMagic.size() + 6;
  const bool is_long = text.size() + 128 > std::numeric_limits<uint16_t>::max();
  const size_t prefix = is_long ? long_prefix : long_prefix - 2;
  text.append(63 - (prefix + text.size()) % 64, ' ');
  text += '\n';
  std::string header(kMagic);
  header += is_long ? '\2' : '\1';
  header += '\0';
  for (size_t i = 0; header.size() < prefix; ++i)
    header += static_cast<char>(text.size() >> 8 * i & 0xFF);
  return header + text;
}

Array as_numpy(const Array& array) {
  return array.dtype() == DType::bf16 ? array.cast(DType::f32) : array;
}

}  // namespace weft::formats
