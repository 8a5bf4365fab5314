// A pickle as NumPy writes it, and as PyTorch does.
#include "core/pickle/pickle.h"

#include "core/pickle/pth_objects.h"
#include "tests/fuzz/fuzz.h"

namespace uvic::fuzz {
namespace {

int64_t count(const PickleValue& value) {
  int64_t sum = 1;
  if (value.is_list())
    for (const PickleValue& item : value.list("a list")) sum += count(item);
  if (value.is_dict())
    for (const auto& [key, item] : value.dict("a dict")) sum += count(key) + count(item);
  if (value.is_tensor()) look_at(value.tensor("a tensor"));
  return sum;
}

void read(std::string_view bytes, const PickleHooks& hooks) {
  try {
    // A value that is named again and again would be counted forever.
    if (bytes.size() < 500)
      count(read_pickle(bytes, "pickle", hooks));
    else
      read_pickle(bytes, "pickle", hooks);
  } catch (const Error&) {
  }
}

}  // namespace
}  // namespace uvic::fuzz

FUZZ(bytes) {
  read(bytes, numpy_hooks());
  read(bytes, torch_hooks([](const PickleValue&) { return PickleValue{at::zeros({4})}; }));
}
