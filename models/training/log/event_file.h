// models/training/log/event_file.h -- numbers over steps in TensorBoard's format.
//
// A file of records as TensorFlow writes them: length, its checksum, an Event message, its checksum
// (masked CRC-32C). TensorBoard reads all files of a folder, and takes what was written last for a
// step, so every process that goes on with a run writes a file of its own.
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

namespace weft::training {

class EventFile {
 public:
  // folder/events.out.tfevents.SECONDS.weft; where it cannot be made, `add` does nothing.
  explicit EventFile(const std::string& folder);

  void add(int64_t step, std::string_view tag, double value);
  void flush();

 private:
  void write(std::string_view message);

  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

// Of Castagnoli's polynomial, as iSCSI and TensorFlow use it.
uint32_t crc32c(std::string_view bytes);

}  // namespace weft::training
