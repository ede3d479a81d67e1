// frontend/formats/npz.h -- NumPy's .npy (one array) and .npz (a zip of them).
//
// Read: f4 f8 f2 i8 i4 u4 u1 i1 b1 as they are; i2 and u2 become s32, and u8 (64 bits, without
// sign) becomes s64 if every value fits; either byte order; Fortran order is transposed. Entries
// may be stored or deflated, and their names may contain '/'. Sizes are checked against the file
// before anything is allocated.
// Written: little endian, C order, stored, the same bytes for the same arrays; bf16, which NumPy
// lacks, is widened to f4. Paths may name pipes and devices; "-" is standard input or output. A
// file that cannot be understood is a GraphError naming file and entry.
#pragma once
#include "frontend/formats/input_file.h"
#include "ir/host/array.h"
#include "ir/host/named_arrays.h"

#include <string>

namespace weft::formats {

ir::Array read_npy(const std::string& path);
ir::Array read_npy(const InputFile& file);
void write_npy(const std::string& path, const ir::Array& array);

ir::NamedArrays read_npz(const std::string& path);
ir::NamedArrays read_npz(const InputFile& file);
void write_npz(const std::string& path, const ir::NamedArrays& arrays);

}  // namespace weft::formats
