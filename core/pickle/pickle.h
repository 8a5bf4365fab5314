// A reader of Python pickles that builds plain values and never runs code: a small stack machine that knows the opcodes
// of protocols 0 to 5 which data files use, and asks its caller about every global name; unknown ones are an error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/tensor.h"

namespace uvic {

struct PickleValue;
using PickleList = std::vector<PickleValue>;  // list, tuple or set
using PickleDict = std::vector<std::pair<PickleValue, PickleValue>>;

struct PickleGlobal {
  std::string module, name;

  std::string full() const { return module + "." + name; }
};

struct PickleValue {
  std::variant<std::monostate, bool, int64_t, double, std::string, Tensor, PickleGlobal, std::shared_ptr<PickleList>,
               std::shared_ptr<PickleDict>>
      value;

  bool is_none() const { return std::holds_alternative<std::monostate>(value); }
  bool is_tensor() const { return std::holds_alternative<Tensor>(value); }
  bool is_list() const { return std::holds_alternative<std::shared_ptr<PickleList>>(value); }
  bool is_dict() const { return std::holds_alternative<std::shared_ptr<PickleDict>>(value); }
  const PickleList& list(std::string_view what) const;  // Error "<what> is not a list" otherwise
  const PickleDict& dict(std::string_view what) const;
  int64_t integer(std::string_view what) const;          // int or bool
  const std::string& text(std::string_view what) const;  // str (UTF-8) or bytes
  const Tensor& tensor(std::string_view what) const;
};

// The value under a text or bytes key (the last one, as in Python), or null.
const PickleValue* find(const PickleDict& dict, std::string_view key);

struct PickleHooks {
  // Every global that is named is checked, called or not. Known to the reader itself and not asked about: the builtin
  // containers, collections.OrderedDict, _codecs.encode (how protocol 2 writes bytes).
  std::function<bool(const PickleGlobal&)> allowed;
  // REDUCE / NEWOBJ of an allowed global.
  std::function<PickleValue(const PickleGlobal&, const PickleList& args)> call;
  // __setstate__: what `object`, a list or dict that `call` made, becomes. Empty: attributes of dicts (an OrderedDict's
  // _metadata) are ignored, those of anything else are an error.
  std::function<PickleValue(const PickleValue& object, const PickleValue& state)> build;
  std::function<PickleValue(const PickleValue& id)> persistent;  // empty: persistent ids are an error
};

// NumPy arrays (of numbers and bools) as tensors, NumPy scalars as numbers.
PickleHooks numpy_hooks();

// One pickle at the start of `bytes`; `*consumed` (if given) gets its length. Error names `file` and the opcode or the
// global. Integers beyond 64 bits become the nearest double. Values that contain themselves, nesting deeper than 256
// and counts that no data file has are errors, so callers may recurse over the result.
PickleValue read_pickle(std::string_view bytes, const std::string& file, const PickleHooks& hooks,
                        size_t* consumed = nullptr);

}  // namespace uvic
