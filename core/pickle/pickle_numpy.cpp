// How NumPy pickles arrays: _reconstruct(ndarray, ...) makes an empty array and dtype(...) a type, and BUILD fills them
// (numpy's array_reduce and arraydescr_reduce). Until then both are lists that start with their class.
#include "core/error.h"
#include "core/formats/numpy.h"
#include "core/pickle/pickle.h"

namespace uvic {
namespace {

const PickleGlobal kArray = {"numpy", "ndarray"}, kDtype = {"numpy", "dtype"};

PickleValue instance(const PickleGlobal& type, PickleList fields) {
  auto list = std::make_shared<PickleList>(std::move(fields));
  list->insert(list->begin(), PickleValue{type});
  return {list};
}

bool is_instance(const PickleValue& value, const PickleGlobal& type) {
  if (!value.is_list() || value.list("").empty()) return false;
  const auto* first = std::get_if<PickleGlobal>(&value.list("").front().value);
  return first && first->module == type.module && first->name == type.name;
}

// `dtype`: [numpy.dtype, "f4", "<"], as call_numpy and build_numpy below leave it.
NumpyDtype parse_dtype(const PickleValue& dtype) {
  if (!is_instance(dtype, kDtype)) fail("an array has no numpy.dtype");
  const auto& fields = dtype.list("a numpy dtype");
  const std::string name = fields.at(2).text("a dtype's byte order") + fields.at(1).text("a dtype's name");
  const auto parsed = parse_numpy_dtype(name);
  if (!parsed) fail("an array has the dtype '{}', which a tensor cannot hold (numbers and bools only)", name);
  return *parsed;
}

PickleValue array_of(const PickleValue& bytes, const PickleValue& shape, const PickleValue& dtype, bool fortran_order) {
  const NumpyDtype type = parse_dtype(dtype);
  std::vector<int64_t> sizes;
  for (const auto& size : shape.list("an array's shape")) sizes.push_back(size.integer("an array's size"));
  return {numpy_array(bytes.text("an array's data"), sizes, type, fortran_order, "an array")};
}

PickleValue scalar_of(const PickleValue& dtype, const PickleValue& bytes) {
  const at::Scalar scalar = array_of(bytes, {std::make_shared<PickleList>()}, dtype, false).tensor("").item();
  if (scalar.isBoolean()) return {scalar.toBool()};
  if (scalar.isIntegral(false)) return {scalar.toLong()};
  return {scalar.toDouble()};
}

void expect(const PickleList& args, size_t least, const char* what) {
  if (args.size() < least) fail("{} has {} arguments, {} were expected", what, args.size(), least);
}

PickleValue call_numpy(const PickleGlobal& global, const PickleList& args) {
  if (global.name == "_reconstruct") return instance(kArray, {});
  if (global.name == "dtype") {
    expect(args, 1, "numpy.dtype");
    return instance(kDtype, {args[0], PickleValue{std::string("=")}});
  }
  if (global.name == "scalar") {
    expect(args, 2, "a numpy scalar");
    return scalar_of(args[0], args[1]);
  }
  if (global.name == "_frombuffer") {
    expect(args, 4, "numpy's _frombuffer");
    return array_of(args[0], args[2], args[1], args[3].text("an array's order") == "F");
  }
  fail("{} cannot be made from a pickle", global.full());
}

PickleValue build_numpy(const PickleValue& object, const PickleValue& state) {
  if (object.is_dict()) return object;  // attributes of an OrderedDict
  if (is_instance(object, kDtype)) {    // (version, byte order, ...)
    const auto& fields = state.list("the state of a numpy dtype");
    expect(fields, 2, "the state of a numpy dtype");
    return instance(kDtype, {object.list("").at(1), fields[1]});
  }
  if (is_instance(object, kArray)) {  // (version, shape, dtype, Fortran order, bytes)
    const auto& fields = state.list("the state of a numpy array");
    expect(fields, 5, "the state of a numpy array");
    return array_of(fields[4], fields[1], fields[2], fields[3].integer("an array's order") != 0);
  }
  fail("an object has attributes that this reader does not know");
}

}  // namespace

PickleHooks numpy_hooks() {
  const auto allowed = [](const PickleGlobal& global) {
    const std::string &module = global.module, &name = global.name;
    if (module == "numpy") return name == "ndarray" || name == "dtype";
    if (module == "numpy.core.multiarray" || module == "numpy._core.multiarray")
      return name == "_reconstruct" || name == "scalar";
    return (module == "numpy.core.numeric" || module == "numpy._core.numeric") && name == "_frombuffer";
  };
  return {allowed, call_numpy, build_numpy, {}};
}

}  // namespace uvic
