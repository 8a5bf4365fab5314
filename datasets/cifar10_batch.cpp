#include "datasets/cifar10_batch.h"

#include <fmt/ranges.h>

#include <cstring>

#include "core/error.h"
#include "core/pickle/pickle.h"

namespace uvic {
namespace {

constexpr int64_t kPixelBytes = 3 * 32 * 32, kRecordBytes = 1 + kPixelBytes;

void check_label(int64_t label, int64_t record, const std::string& file) {
  if (label < 0 || label > 9)
    fail("{}: image {} has label {}, expected 0 to 9: this is not a CIFAR-10 batch, or it is damaged", file, record,
         label);
}

const PickleValue& entry(const PickleDict& dict, std::string_view key, const std::string& file) {
  for (const auto& [name, value] : dict)
    if (std::holds_alternative<std::string>(name.value) && std::get<std::string>(name.value) == key) return value;
  fail("{}: the pickle has no '{}': this is not a batch of CIFAR-10's Python version", file, key);
}

}  // namespace

Cifar10Batch read_cifar10_binary(std::string_view bytes, const std::string& file) {
  const auto size = static_cast<int64_t>(bytes.size());
  if (size == 0 || size % kRecordBytes != 0)
    fail("{}: {} bytes are no whole number of {}-byte CIFAR-10 records: the file is truncated or something else", file,
         size, kRecordBytes);
  const int64_t n = size / kRecordBytes;
  Cifar10Batch batch{at::empty({n, 3, 32, 32}, at::kByte), at::empty({n}, at::kLong)};
  auto* pixels = batch.pixels.mutable_data_ptr<uint8_t>();
  auto* labels = batch.labels.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < n; ++i) {
    const char* record = bytes.data() + i * kRecordBytes;
    labels[i] = static_cast<uint8_t>(record[0]);
    check_label(labels[i], i, file);
    std::memcpy(pixels + i * kPixelBytes, record + 1, kPixelBytes);
  }
  return batch;
}

Cifar10Batch read_cifar10_python(std::string_view bytes, const std::string& file) {
  const PickleValue value = read_pickle(bytes, file, numpy_hooks());
  const PickleDict& dict = value.dict(file);
  const Tensor& data = entry(dict, "data", file).tensor(file + ": 'data'");
  const PickleList& list = entry(dict, "labels", file).list(file + ": 'labels'");
  const auto n = static_cast<int64_t>(list.size());
  if (n == 0 || data.scalar_type() != at::kByte || data.sizes() != at::IntArrayRef{n, kPixelBytes})
    fail("{}: 'data' is {} of shape {}, expected uint8 of [{}, {}] for {} labels", file,
         c10::toString(data.scalar_type()), fmt::join(data.sizes(), " x "), n, kPixelBytes, n);
  Tensor labels = at::empty({n}, at::kLong);
  for (int64_t i = 0; i < n; ++i) {
    const int64_t label = list[i].integer(file + ": a label");
    check_label(label, i, file);
    labels.mutable_data_ptr<int64_t>()[i] = label;
  }
  return {data.contiguous().view({n, 3, 32, 32}), labels};
}

}  // namespace uvic
