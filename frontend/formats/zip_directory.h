// frontend/formats/zip_directory.h -- where the entries of a zip archive lie in its file (PKWARE's
// APPNOTE 6.3, zip64 too).
//
// For archives whose entries are stored as they are, which can be used where they lie. Entries that are
// compressed, encrypted, links, or named as something outside the archive are refused; so are those
// that share bytes. No size is believed before it is compared with the file's.
#pragma once
#include "frontend/formats/input_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weft::formats {

struct ZipEntry {
  std::string name;
  int64_t begin = 0, size = 0;  // of its bytes, counted from the start of the file
  uint32_t crc = 0;             // CRC-32 of them
};

// Throws GraphError "path: what was found and what is needed".
std::vector<ZipEntry> read_zip_directory(const InputFile& file);

// The name of the entry that a file begins with; empty where it begins with none.
std::string first_zip_name(const InputFile& file);

}  // namespace weft::formats
