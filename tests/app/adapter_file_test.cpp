#include "app/model/adapter_file.h"

#include <gtest/gtest.h>

#include "app/model/model_weights.h"
#include "core/formats/json_file.h"
#include "core/random.h"
#include "tests/random_model.h"
#include "tests/temporary.h"

namespace uvic::adapter_file_test {
namespace {

const std::string kModule = "mid_block.attn.proj";

std::string error_in_config(const nlohmann::json& config) {
  return error_of([&] { parse_adapter_config(config.dump(), "the config x.json"); });
}

class AdapterFiles : public ::testing::Test {
 protected:
  // Adapters of rank 2 on one matrix, all factors 1: each number of the product is 2 alpha / rank.
  TensorMap ones(const std::string& prefix = "") const {
    const Tensor weight = this->weight(model_);
    return {{prefix + kModule + ".lora_A.weight", at::ones({2, weight.size(1)})},
            {prefix + kModule + ".lora_B.weight", at::ones({weight.size(0), 2})}};
  }
  Tensor weight(const Model& model) const { return to_map(model.net.parameters()).at(kModule + ".weight"); }
  // What was added to every number of the matrix.
  double added(const std::string& argument) {
    Model model = random_model(false);
    apply_adapters(model, argument);
    const Tensor difference = weight(model) - weight(model_);
    EXPECT_LT((difference - difference.mean()).abs().max().item<double>(), 1e-6);
    return std::round(difference.mean().item<double>() * 1e4) / 1e4;
  }
  std::string peft(const std::string& name, nlohmann::json config) const {
    config["peft_type"] = "LORA";
    write_safetensors(folder_ / (name + "/adapter_model.safetensors"), {ones("base_model.model."), {}});
    folder_.put(name + "/adapter_config.json", config.dump());
    return (folder_ / name).string();
  }

  TemporaryFolder folder_;
  Model model_ = random_model(false);
};

TEST_F(AdapterFiles, CountAsTheirConfigSays) {
  EXPECT_EQ(added(peft("usual", {{"r", 2}, {"lora_alpha", 3}})), 3);
  EXPECT_EQ(added(peft("none", {{"r", 2}, {"lora_alpha", 0}})), 0);
  EXPECT_NEAR(added(peft("root", {{"r", 2}, {"lora_alpha", 3}, {"use_rslora", true}})), 2 * 3 / std::sqrt(2.0), 1e-4);
  // The rank of a matrix is its own, as PEFT's rank_pattern makes it.
  EXPECT_EQ(added(peft("other", {{"r", 8}, {"lora_alpha", 3}})), 3);
  write_safetensors(folder_ / "bare.safetensors", {ones(), {}});
  EXPECT_EQ(added((folder_ / "bare.safetensors").string()), 2);
}

TEST_F(AdapterFiles, CountAsOftenAsTheirWeight) {
  const std::string path = peft("a", {{"r", 2}, {"lora_alpha", 1}});
  EXPECT_EQ(added(path + ":0.5"), 0.5);
  EXPECT_EQ(added(path + ":-2"), -2);
  EXPECT_EQ(added(path + "/adapter_model.safetensors:2"), 2);
  EXPECT_EQ(added(peft("b:3", {{"r", 2}, {"lora_alpha", 1}})), 1);  // a colon of the name's own
  Model model = random_model(false);
  apply_adapters(model, path + ":0");
  EXPECT_TRUE(at::equal(weight(model), weight(model_)));
  apply_adapters(model, path);
  apply_adapters(model, path + ":2");
  EXPECT_TRUE(at::allclose(weight(model), weight(model_) + 3));
  ASSERT_EQ(model.adapters.size(), 3u);
  const std::string hash = sha256_of_file(folder_ / "a/adapter_model.safetensors").substr(0, 10);
  EXPECT_EQ(model.adapters[2], (AdapterUse{"a", hash, 2}));
}

TEST_F(AdapterFiles, SayWhatIsWrong) {
  const auto error = [&](const std::string& argument) {
    return error_of([&] {
      Model model = random_model(false);
      apply_adapters(model, argument);
    });
  };
  const std::string path = peft("a", {{"r", 2}, {"lora_alpha", 1}});
  expect_mentions(error((folder_ / "no").string()), {"no adapters at", "no"});
  expect_mentions(error(path + ":x"), {"'x'", "PATH:WEIGHT"});
  expect_mentions(error(path + ":nan"), {"'nan'", "PATH:WEIGHT"});
  write_safetensors(folder_ / "model.safetensors", {to_map(model_.net.parameters()), {}});
  expect_mentions(error((folder_ / "model.safetensors").string()), {"holds no adapters", "--model"});
  fs::remove(folder_ / "a/adapter_model.safetensors");
  expect_mentions(error(path), {"adapter_config.json", "adapter_model.safetensors"});
  TensorMap other = ones();
  other.begin()->second = at::ones({2, 7});
  write_safetensors(folder_ / "other.safetensors", {other, {}});
  expect_mentions(error((folder_ / "other.safetensors").string()), {"another model", kModule, "[2, 7]"});
  expect_mentions(error_of([&] { read_model_weights(folder_ / "other.safetensors"); }), {"not a model", "--lora"});
}

TEST_F(AdapterFiles, BecomeAFolderOfPeft) {
  ModelCard card{.config = {}, .step = 0, .classes = {}, .vocabulary = {}};
  card.config.lora = {.rank = 2, .alpha = 0.5};
  card.config.init.file = "/models/base.safetensors";
  write_peft_folder(folder_ / "out", {ones(), card.to_metadata()}, card);
  const auto config = read_json(folder_ / "out/adapter_config.json", "config");
  EXPECT_EQ(config.at("target_modules"), nlohmann::json({kModule}));
  EXPECT_EQ(config.at("base_model_name_or_path"), "/models/base.safetensors");
  EXPECT_EQ(config.at("lora_alpha"), 0.5);
  const TensorMap tensors = read_safetensors(folder_ / "out/adapter_model.safetensors").tensors;
  EXPECT_TRUE(tensors.contains("base_model.model." + kModule + ".lora_A.weight"));
  EXPECT_EQ(added((folder_ / "out").string()), 0.5);
}

TEST(AdapterConfig, IsPlainLora) {
  const nlohmann::json good{{"peft_type", "LORA"},    {"r", 4},
                            {"lora_alpha", 8},        {"alpha_pattern", {{}}},
                            {"use_dora", false},      {"lora_bias", false},
                            {"fan_in_fan_out", false}};
  nlohmann::json config = good;
  config["alpha_pattern"] = nlohmann::json::object();
  EXPECT_EQ(parse_adapter_config(config.dump(), "x").rank, 4);
  EXPECT_EQ(parse_adapter_config(config.dump(), "x").alpha, 8);
  const std::pair<const char*, nlohmann::json> changes[] = {
      {"peft_type", "IA3"}, {"peft_type", 3},        {"r", 0},
      {"r", "4"},           {"lora_alpha", "x"},     {"alpha_pattern", {{"a", 1}}},
      {"use_dora", true},   {"fan_in_fan_out", true}};
  for (const auto& [key, value] : changes) {
    nlohmann::json changed = config;
    changed[key] = value;
    expect_mentions(error_in_config(changed), {"x.json"});
  }
  expect_mentions(error_of([] { parse_adapter_config("[1]", "x.json"); }), {"x.json"});
}

}  // namespace
}  // namespace uvic::adapter_file_test
