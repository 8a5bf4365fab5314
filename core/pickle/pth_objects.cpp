#include "core/pickle/pth_objects.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/formats/raw_tensor.h"

namespace uvic {
namespace {

struct Row {
  std::string_view storage, dtype;  // torch.FloatStorage, torch.float32; dtypes since 2.3 have no storage class
  at::ScalarType type;
};
constexpr std::array<Row, 14> kTypes = {{{"DoubleStorage", "float64", at::kDouble},
                                         {"FloatStorage", "float32", at::kFloat},
                                         {"HalfStorage", "float16", at::kHalf},
                                         {"BFloat16Storage", "bfloat16", at::kBFloat16},
                                         {"LongStorage", "int64", at::kLong},
                                         {"IntStorage", "int32", at::kInt},
                                         {"ShortStorage", "int16", at::kShort},
                                         {"CharStorage", "int8", at::kChar},
                                         {"ByteStorage", "uint8", at::kByte},
                                         {"BoolStorage", "bool", at::kBool},
                                         {"ComplexFloatStorage", "complex64", at::kComplexFloat},
                                         {"", "uint16", at::kUInt16},
                                         {"", "uint32", at::kUInt32},
                                         {"", "uint64", at::kUInt64}}};
constexpr int64_t kLargestExpansion = int64_t{64} << 20;  // bytes that a view may show beyond those of its storage
constexpr size_t kMaxTensors = 1'000'000;

const Row* row_of(std::string_view name, std::string_view Row::*column) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& r) { return r.*column == name; });
  return row == kTypes.end() || name.empty() ? nullptr : &*row;
}

bool is_script_class(const PickleGlobal& global) {
  return global.module.starts_with("__torch__");
}

bool is_allowed(const PickleGlobal& global) {
  const std::string &module = global.module, &name = global.name;
  if (is_script_class(global)) return true;
  if (module == "torch")
    return row_of(name, &Row::storage) || row_of(name, &Row::dtype) || name == "UntypedStorage" || name == "Size" ||
           name == "device" || name == "Tensor";
  if (module == "torch._utils")
    return name == "_rebuild_tensor" || name == "_rebuild_tensor_v2" || name == "_rebuild_tensor_v3" ||
           name == "_rebuild_parameter" || name == "_rebuild_parameter_with_state";
  if (module == "torch.storage") return name == "UntypedStorage";
  if (module == "torch._tensor") return name == "_rebuild_from_type_v2";
  if (module == "torch.nn.parameter") return name == "Parameter" || name == "Buffer";
  if (module == "torch.jit._pickle")
    return name == "build_intlist" || name == "build_doublelist" || name == "build_boollist" ||
           name == "build_tensorlist" || name == "restore_type_tag";
  return module == "torch.serialization" && name == "_get_layout";
}

std::vector<int64_t> integers(const PickleValue& value, const char* what) {
  std::vector<int64_t> numbers;
  for (const auto& item : value.list(what)) numbers.push_back(item.integer(what));
  return numbers;
}

// (storage, offset, size, stride, ...): torch._utils._rebuild_tensor
Tensor rebuild(const Tensor& storage, const PickleList& args) {
  const int64_t offset = args.at(1).integer("a tensor's offset");
  const auto sizes = integers(args.at(2), "a tensor's size"), strides = integers(args.at(3), "a tensor's stride");
  const auto bytes = count_bytes(sizes, storage.scalar_type());
  if (!bytes || sizes.size() != strides.size() || offset < 0) fail("a tensor has an impossible shape");
  int64_t last = offset;  // the largest element that the view reaches
  for (size_t i = 0; i < sizes.size(); ++i) {
    int64_t step = 0;
    if (strides[i] < 0 || __builtin_mul_overflow(std::max<int64_t>(sizes[i], 1) - 1, strides[i], &step) ||
        __builtin_add_overflow(last, step, &last))
      fail("a tensor has impossible strides");
  }
  if (*bytes == 0) return at::empty(sizes, storage.options());
  if (last >= storage.numel()) fail("a tensor reaches element {} of a storage of {}", last, storage.numel());
  if (*bytes > kLargestExpansion && static_cast<uint64_t>(*bytes) > storage.nbytes())
    fail("a tensor expands {} bytes to {}", storage.nbytes(), *bytes);
  return storage.as_strided(sizes, strides, offset);
}

PickleValue call_torch(const PickleGlobal& global, const PickleList& args) {
  const std::string& name = global.name;
  if (is_script_class(global))
    return {std::make_shared<PickleList>(PickleList{{global}, {std::make_shared<PickleDict>()}})};
  if (name == "_rebuild_tensor" || name == "_rebuild_tensor_v2")
    return {rebuild(args.at(0).tensor("a tensor's storage"), args)};
  if (name == "_rebuild_tensor_v3") {  // over bytes, its dtype named
    const auto* dtype = std::get_if<PickleGlobal>(&args.at(6).value);
    const Row* row = dtype ? row_of(dtype->name, &Row::dtype) : nullptr;
    const Tensor& storage = args.at(0).tensor("a tensor's storage");
    if (!row) fail("a tensor has an unknown dtype{}", dtype ? " " + dtype->full() : "");
    if (storage.numel() % static_cast<int64_t>(c10::elementSize(row->type)) != 0)
      fail("a storage of {} bytes cannot hold {}", storage.numel(), row->dtype);
    return {rebuild(storage.view(row->type), args)};
  }
  if (name == "_rebuild_from_type_v2") {  // (function, type, arguments, attributes)
    const auto* function = std::get_if<PickleGlobal>(&args.at(0).value);
    if (!function || function->module != "torch._utils") fail("a tensor is rebuilt by an unknown function");
    return call_torch(*function, args.at(2).list("the arguments of a tensor"));
  }
  if (name.starts_with("_rebuild_parameter") || name == "restore_type_tag" || name.starts_with("build_"))
    return args.at(0);
  if (name == "Size") return args.empty() ? PickleValue{std::make_shared<PickleList>()} : args[0];
  if (name == "device" || name == "_get_layout") return args.at(0);
  fail("{} cannot be made from a pickle", global.full());
}

const PickleGlobal* script_class_of(const PickleValue& value) {
  if (!value.is_list() || value.list("").size() != 2 || !value.list("")[1].is_dict()) return nullptr;
  const auto* global = std::get_if<PickleGlobal>(&value.list("")[0].value);
  return global && is_script_class(*global) ? global : nullptr;
}

PickleValue build_torch(const PickleValue& object, const PickleValue& state) {
  if (object.is_dict() || object.is_tensor()) return object;  // Python attributes: an OrderedDict's _metadata
  const PickleGlobal* type = script_class_of(object);
  if (!type) fail("an object has attributes that this reader does not know");
  if (state.is_dict()) *std::get<std::shared_ptr<PickleDict>>(object.list("")[1].value) = state.dict("");
  return object;  // classes with their own __getstate__ (packed parameters) keep no attributes
}

void flatten(const PickleValue& module, const std::string& prefix, size_t& visited, PickleDict& tensors) {
  for (const auto& [key, value] : module.list("")[1].dict("")) {
    if (++visited > kMaxTensors) fail("a TorchScript module has more than {} attributes", kMaxTensors);
    const std::string name = prefix + key.text("an attribute's name");
    if (value.is_tensor()) tensors.emplace_back(PickleValue{name}, value);
    if (script_class_of(value)) flatten(value, name + ".", visited, tensors);
  }
}

}  // namespace

at::ScalarType storage_dtype(const PickleGlobal& type) {
  if (type.name == "UntypedStorage") return at::kByte;
  const Row* row = row_of(type.name, &Row::storage);
  if (!row) fail("unknown storage type {}", type.full());
  return row->type;
}

std::string storage_name(at::ScalarType dtype) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& r) { return r.type == dtype; });
  return row == kTypes.end() ? "" : std::string(row->storage);
}

std::string dtype_name(at::ScalarType dtype) {
  const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const Row& r) { return r.type == dtype; });
  return row == kTypes.end() ? "" : std::string(row->dtype);
}

PickleHooks torch_hooks(std::function<PickleValue(const PickleValue& id)> persistent) {
  const PickleHooks numpy = numpy_hooks();  // checkpoints keep scores and random states as NumPy values
  return {[=](const PickleGlobal& global) { return is_allowed(global) || numpy.allowed(global); },
          [=](const PickleGlobal& global, const PickleList& args) {
            return is_allowed(global) ? call_torch(global, args) : numpy.call(global, args);
          },
          [=](const PickleValue& object, const PickleValue& state) {
            const bool ours = object.is_dict() || object.is_tensor() || script_class_of(object);
            return ours ? build_torch(object, state) : numpy.build(object, state);
          },
          std::move(persistent)};
}

std::shared_ptr<PickleDict> flatten_torchscript(const PickleValue& module) {
  if (!script_class_of(module)) return nullptr;
  auto tensors = std::make_shared<PickleDict>();
  size_t visited = 0;
  flatten(module, "", visited, *tensors);
  return tensors;
}

}  // namespace uvic
