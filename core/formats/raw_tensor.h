// Tensors over raw little-endian bytes of files, with the arithmetic that a hostile header could overflow.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/tensor.h"

namespace uvic {

// The bytes of a dense tensor; nothing if a size is negative, the count (or a stride) does not fit into int64,
// or there are more dimensions than tensors can have.
std::optional<int64_t> count_bytes(std::span<const int64_t> shape, at::ScalarType dtype);

// A dense tensor of `shape` that starts at `data` and keeps `owner` alive; a copy if `data` is not aligned for `dtype`.
// The caller has checked that count_bytes(shape, dtype) bytes lie there.
Tensor tensor_over(char* data, std::span<const int64_t> shape, at::ScalarType dtype, std::shared_ptr<void> owner);

// A dense copy of the bytes; `data` may be null if there are none.
Tensor tensor_copy(const char* data, std::span<const int64_t> shape, at::ScalarType dtype);

// Bools are one byte each, 0 or 1; any other value is undefined behaviour when read. True for every other dtype.
bool has_valid_bools(const char* data, int64_t bytes, at::ScalarType dtype);

}  // namespace uvic
