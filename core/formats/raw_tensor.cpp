#include "core/formats/raw_tensor.h"

#include <algorithm>
#include <cstring>

namespace uvic {

std::optional<int64_t> count_bytes(std::span<const int64_t> shape, at::ScalarType dtype) {
  auto stride = static_cast<int64_t>(c10::elementSize(dtype));  // of a dimension of size 0 as if it were 1
  bool empty = false;
  if (shape.size() > 64) return std::nullopt;  // ATen's limit
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(stride, std::max<int64_t>(size, 1), &stride)) return std::nullopt;
    empty |= size == 0;
  }
  return empty ? 0 : stride;
}

Tensor tensor_copy(const char* data, std::span<const int64_t> shape, at::ScalarType dtype) {
  Tensor copy = at::empty(at::IntArrayRef(shape.data(), shape.size()), dtype);
  if (copy.nbytes() > 0) std::memcpy(copy.data_ptr(), data, copy.nbytes());
  return copy;
}

Tensor tensor_over(char* data, std::span<const int64_t> shape, at::ScalarType dtype, std::shared_ptr<void> owner) {
  if (reinterpret_cast<uintptr_t>(data) % c10::elementSize(dtype) != 0) return tensor_copy(data, shape, dtype);
  return at::from_blob(
      data, at::IntArrayRef(shape.data(), shape.size()), [owner = std::move(owner)](void*) {},
      at::TensorOptions(dtype));
}

bool has_valid_bools(const char* data, int64_t bytes, at::ScalarType dtype) {
  return dtype != at::kBool ||
         std::all_of(data, data + bytes, [](char byte) { return static_cast<unsigned char>(byte) <= 1; });
}

}  // namespace uvic
