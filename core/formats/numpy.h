// NumPy arrays as bytes: what .npy files and pickled arrays have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor.h"

namespace uvic {

struct NumpyDtype {
  at::ScalarType type;
  bool big_endian;
};

// "<f4", "|u1", "i8": nothing if a tensor cannot hold it (objects 'O', text 'U' and 'S', records, times, complex).
std::optional<NumpyDtype> parse_numpy_dtype(std::string_view name);

// The reverse, little-endian: "<f4". Nothing for dtypes NumPy does not have (bfloat16).
std::optional<std::string> numpy_dtype_name(at::ScalarType type);

// A dense row-major array: a copy, or, if `owner` keeps the bytes alive and lets them be written, the bytes themselves
// where that is possible. Error, which names `what`, if they are not exactly those of the shape.
Tensor numpy_array(std::string_view bytes, std::vector<int64_t> shape, NumpyDtype dtype, bool fortran_order,
                   const std::string& what, std::shared_ptr<void> owner = nullptr);

}  // namespace uvic
