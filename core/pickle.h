// A reader of Python pickles that builds plain values and never runs code: a small stack machine that knows the opcodes of
// protocols 0 to 5 which data files use, and asks its caller about every global name; unknown ones are an error.
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
};

struct PickleValue {
  std::variant<std::monostate, bool, int64_t, double, std::string, Tensor, PickleGlobal, std::shared_ptr<PickleList>,
               std::shared_ptr<PickleDict>>
      value;

  bool is_none() const { return std::holds_alternative<std::monostate>(value); }
  const PickleList& list(std::string_view what) const;   // Error "<what> is not a list" otherwise
  const PickleDict& dict(std::string_view what) const;
  int64_t integer(std::string_view what) const;
  double number(std::string_view what) const;            // int or float
  const std::string& text(std::string_view what) const;  // str or bytes
  const Tensor& tensor(std::string_view what) const;
};

struct PickleHooks {
  // REDUCE / NEWOBJ of an allowed global. Called only for globals that `allowed` accepts.
  std::function<bool(const PickleGlobal&)> allowed;
  std::function<PickleValue(const PickleGlobal&, const PickleList& args)> call;
  std::function<PickleValue(const PickleValue& id)> persistent;  // may be empty: persistent ids are then an error
};

// One pickle at the start of `bytes`; `*consumed` (if given) gets its length. Error names `file`, the opcode or the global.
PickleValue read_pickle(std::string_view bytes, const std::string& file, const PickleHooks& hooks,
                        size_t* consumed = nullptr);

}  // namespace uvic
