#include "core/formats/weight_names.h"

#include <gtest/gtest.h>

#include "core/pickle/pth.h"
#include "tests/temporary.h"

namespace uvic::weight_names_test {
namespace {

TensorMap named(std::initializer_list<const char*> names) {
  TensorMap tensors;
  for (const char* name : names) tensors[name] = at::full({2}, static_cast<double>(tensors.size()));
  return tensors;
}

std::vector<std::string> names(const TensorMap& tensors) {
  std::vector<std::string> list;
  for (const auto& entry : tensors) list.push_back(entry.first);
  return list;
}

using Names = std::vector<std::string>;

TEST(WeightNames, PrefixesOfAllNamesAreTakenOffInAnyNesting) {
  for (const char* prefix : {"module.", "_orig_mod.", "model.", "ema.", "ema_model.", "module._orig_mod.model.",
                             "_orig_mod.module.", "ema_model.module._orig_mod."}) {
    const TensorMap wrapped{{std::string(prefix) + "a.weight", at::ones({1})},
                            {std::string(prefix) + "b", at::zeros({1})}};
    const TensorMap bare = without_wrappers(wrapped);
    EXPECT_EQ(names(bare), (Names{"a.weight", "b"})) << prefix;
    EXPECT_TRUE(at::equal(bare.at("a.weight"), at::ones({1}))) << prefix;
  }
}

TEST(WeightNames, OtherNamesStay) {
  for (const auto& tensors :
       {named({"model.a", "b"}), named({"modules.a"}), named({"module.a", "model.b"}), named({"step"}), named({})})
    EXPECT_EQ(names(without_wrappers(tensors)), names(tensors));
}

TEST(WeightNames, OfAModelAndItsAverageTheAverageIsTaken) {
  TensorMap lucidrains = named({"ema_model.w", "online_model.w"});
  lucidrains["initted"] = at::ones({1}, at::kBool);
  lucidrains["step"] = at::full({1}, 7);
  const TensorMap average = without_wrappers(lucidrains);
  EXPECT_EQ(names(average), Names{"w"});
  EXPECT_TRUE(at::equal(average.at("w"), lucidrains.at("ema_model.w")));
  EXPECT_TRUE(
      at::equal(without_wrappers(named({"model.w", "ema.w"})).at("w"), named({"model.w", "ema.w"}).at("ema.w")));
}

TEST(WeightNames, CountersOfAnAverageAreLeftOut) {
  TensorMap averaged = named({"module.w"});  // torch.optim.swa_utils.AveragedModel
  averaged["n_averaged"] = at::scalar_tensor(3, at::kLong);
  EXPECT_EQ(names(without_wrappers(averaged)), Names{"w"});
  averaged["n_averaged"] = at::ones({4});  // no counter
  EXPECT_EQ(names(without_wrappers(averaged)), (Names{"module.w", "n_averaged"}));
}

TEST(WeightNames, EveryContainerAlike) {
  const TemporaryFolder folder;
  const TensorMap wrapped = named({"module._orig_mod.a", "module._orig_mod.b"});
  write_pth(folder / "w.pth", wrapped);
  write_safetensors(folder / "w.safetensors", {wrapped, {}});
  folder.put("w.safetensors.index.json",
             R"({"weight_map": {"module._orig_mod.a": "w.safetensors", "module._orig_mod.b": "w.safetensors"}})");
  for (const char* file : {"w.pth", "w.safetensors", "w.safetensors.index.json"})
    EXPECT_EQ(names(read_weights(folder / file).tensors), (Names{"a", "b"})) << file;
}

}  // namespace
}  // namespace uvic::weight_names_test
