#include "core/formats/numpy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/formats/raw_tensor.h"

namespace uvic {
namespace {

struct Row {
  std::string_view name;  // kind and size in bytes
  at::ScalarType type;
};
constexpr std::array<Row, 12> kTypes = {{{"f8", at::kDouble},
                                         {"f4", at::kFloat},
                                         {"f2", at::kHalf},
                                         {"i8", at::kLong},
                                         {"i4", at::kInt},
                                         {"i2", at::kShort},
                                         {"i1", at::kChar},
                                         {"u8", at::kUInt64},
                                         {"u4", at::kUInt32},
                                         {"u2", at::kUInt16},
                                         {"u1", at::kByte},
                                         {"b1", at::kBool}}};

}  // namespace

std::optional<NumpyDtype> parse_numpy_dtype(std::string_view name) {
  const bool ordered = !name.empty() && std::string_view("<>|=").find(name.front()) != std::string_view::npos;
  const bool big_endian = ordered && name.front() == '>';
  if (ordered) name.remove_prefix(1);
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& r) { return r.name == name; });
  if (row == kTypes.end()) return std::nullopt;
  return NumpyDtype{row->type, big_endian};
}

std::optional<std::string> numpy_dtype_name(at::ScalarType type) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& r) { return r.type == type; });
  if (row == kTypes.end()) return std::nullopt;
  return (c10::elementSize(type) == 1 ? "|" : "<") + std::string(row->name);
}

Tensor numpy_array(std::string_view bytes, std::vector<int64_t> shape, NumpyDtype dtype, bool fortran_order,
                   const std::string& what, std::shared_ptr<void> owner) {
  const auto expected = count_bytes(shape, dtype.type);
  if (!expected || static_cast<uint64_t>(*expected) != bytes.size())
    fail("{} has {} bytes, its shape ({}) needs {}", what, bytes.size(), fmt::join(shape, ", "),
         expected ? std::to_string(*expected) : "more than fit");
  if (!has_valid_bools(bytes.data(), *expected, dtype.type)) fail("{} holds bools other than 0 and 1", what);
  if (fortran_order) std::reverse(shape.begin(), shape.end());
  Tensor array = owner ? tensor_over(const_cast<char*>(bytes.data()), shape, dtype.type, std::move(owner))
                       : tensor_copy(bytes.data(), shape, dtype.type);
  if (dtype.big_endian) {
    auto* byte = static_cast<char*>(array.data_ptr());
    for (int64_t i = 0; i < array.numel(); ++i, byte += array.element_size())
      std::reverse(byte, byte + array.element_size());
  }
  if (!fortran_order) return array;
  std::vector<int64_t> axes(shape.size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int64_t>(axes.size() - 1 - i);
  return array.permute(axes).contiguous();
}

}  // namespace uvic
