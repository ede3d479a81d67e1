// models/training/log/event_file.cpp -- Event messages, encoded by hand: five fields of protobuf's wire
// format.
#include "models/training/log/event_file.h"

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>

namespace weft::training {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1) != 0 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr auto kCrc = crc_table();

template <typename T>
std::string little_endian(T value) {  // x86 is
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(0x80 | (value & 0x7f));
  return bytes + static_cast<char>(value);
}

// Wire types: 0 varint, 1 eight bytes, 2 a length and bytes, 5 four bytes.
std::string key(int field, int wire_type) {
  return varint(static_cast<uint64_t>(field << 3 | wire_type));
}
std::string bytes_field(int field, std::string_view bytes) {
  return key(field, 2) + varint(bytes.size()) + std::string(bytes);
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string event() { return key(1, 1) + little_endian(now()); }  // wall_time

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes) crc = kCrc[(crc ^ static_cast<uint8_t>(c)) & 0xff] ^ (crc >> 8);
  return crc ^ 0xffffffffu;
}

EventFile::EventFile(const std::string& folder)
    : file_(std::fopen(
                (std::filesystem::path(folder) /
                 ("events.out.tfevents." + std::to_string(static_cast<int64_t>(now())) + ".weft"))
                    .c_str(),
                "wb"),
            std::fclose) {
  write(event() + bytes_field(3, "brain.Event:2"));  // file_version
}

void EventFile::add(int64_t step, std::string_view tag, double value) {
  const std::string entry =  // Summary.Value: tag, simple_value
      bytes_field(1, tag) + key(2, 5) + little_endian(static_cast<float>(value));
  write(event() + key(2, 0) + varint(static_cast<uint64_t>(step)) +  // step
        bytes_field(5, bytes_field(1, entry)));                      // summary
}

void EventFile::flush() {
  if (file_) std::fflush(file_.get());
}

void EventFile::write(std::string_view message) {
  if (!file_) return;
  const std::string length = little_endian(static_cast<uint64_t>(message.size()));
  std::string record = length + little_endian(masked(crc32c(length)));
  record += message;
  record += little_endian(masked(crc32c(message)));
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size()) file_.reset();
}

}  // namespace weft::training
