// NumPy's .npz and .npy files.
#pragma once

#include <filesystem>

#include "core/formats/safetensors.h"

namespace uvic {

// Arrays of an .npz (STORED or DEFLATE, zip64), by name without ".npy". C and Fortran order, little- and big-endian
// numbers and bools; pickled object arrays are an Error that says so. Text arrays (dtype U or S) hold no numbers and
// are left out of an .npz.
TensorMap read_npz(const std::filesystem::path& path);

// The array of an .npy, with the same rules; text is an Error.
Tensor read_npy(const std::filesystem::path& path);

// As numpy.savez (compressed = savez_compressed). Written atomically. Error for dtypes that NumPy lacks (bfloat16).
void write_npz(const std::filesystem::path& path, const TensorMap& arrays, bool compressed = false);

}  // namespace uvic
