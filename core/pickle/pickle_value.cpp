#include "core/error.h"
#include "core/pickle/pickle.h"

namespace uvic {
namespace {

template <class T>
const T& get(const PickleValue& value, std::string_view what, const char* type) {
  if (const T* held = std::get_if<T>(&value.value)) return *held;
  static constexpr const char* kNames[] = {"None",     "a bool",        "an int", "a float", "a string",
                                           "a tensor", "a global name", "a list", "a dict"};
  fail("{} is {}, not {}", what, kNames[value.value.index()], type);
}

}  // namespace

const PickleList& PickleValue::list(std::string_view what) const {
  return *get<std::shared_ptr<PickleList>>(*this, what, "a list");
}

const PickleDict& PickleValue::dict(std::string_view what) const {
  return *get<std::shared_ptr<PickleDict>>(*this, what, "a dict");
}

int64_t PickleValue::integer(std::string_view what) const {
  if (const bool* flag = std::get_if<bool>(&value)) return *flag;
  return get<int64_t>(*this, what, "an integer");
}

const std::string& PickleValue::text(std::string_view what) const {
  return get<std::string>(*this, what, "a string");
}

const Tensor& PickleValue::tensor(std::string_view what) const {
  return get<Tensor>(*this, what, "a tensor");
}

const PickleValue* find(const PickleDict& dict, std::string_view key) {
  for (auto entry = dict.rbegin(); entry != dict.rend(); ++entry) {
    const auto* text = std::get_if<std::string>(&entry->first.value);
    if (text && *text == key) return &entry->second;
  }
  return nullptr;
}

}  // namespace uvic
