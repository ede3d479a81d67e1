// frontend/formats/npy.h -- the .npy layout itself, wherever its bytes come from.
//
//   "\x93NUMPY" major minor | u16 or u32 header length | Python dict as text | data
#pragma once
#include "ir/host/array.h"

#include <cstdint>
#include <functional>
#include <string>

namespace weft::formats {

// Delivers exactly the next `size` bytes, or throws.
using ByteReader = std::function<void(void* data, int64_t size)>;

// The array in the next `size` bytes, all of which it must fill. `where` begins every error.
ir::Array read_npy(const ByteReader& read, int64_t size, const std::string& where);

// Magic, version and header for an array of a type that NumPy has; the data follow at a multiple
// of 64.
std::string npy_header(const ir::Array& array);
// What is written for `array`: itself, or widened to f32 when NumPy lacks its type.
ir::Array as_numpy(const ir::Array& array);

}  // namespace weft::formats
