#include "encoders/clip_text.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/pickle/pth.h"
#include "tests/random_weights.h"
#include "tests/temporary.h"

namespace uvic::clip_text_test {
namespace {

ClipTextConfig tiny() {
  return {.vocab_size = 12,
          .hidden_size = 8,
          .intermediate_size = 16,
          .num_hidden_layers = 2,
          .num_attention_heads = 2,
          .max_position_embeddings = 6};
}

TensorMap tiny_weights(uint64_t seed = 1) {
  return random_weights(ClipText(tiny()).parameters(), seed);
}

const Tensor kIds = at::tensor({3, 1, 4, 1, 5, 9}, at::kLong).unsqueeze(0);

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// Softmax attention and the rest in float64, written out.
TEST(ClipText, IsThePreNormTransformerOfThePaper) {
  const at::NoGradGuard no_grad;
  const TensorMap w = tiny_weights();
  const auto get = [&](const std::string& name) { return w.at("text_model." + name).to(at::kDouble); };
  const auto linear = [&](const Tensor& x, const std::string& name) {
    return at::matmul(x, get(name + ".weight").t()) + get(name + ".bias");
  };
  const auto norm = [&](const Tensor& x, const std::string& name) {
    const Tensor centred = x - x.mean(-1, true);
    return centred / at::sqrt(centred.square().mean(-1, true) + 1e-5) * get(name + ".weight") + get(name + ".bias");
  };
  Tensor x =
      get("embeddings.token_embedding.weight").index_select(0, kIds[0]) + get("embeddings.position_embedding.weight");
  for (const std::string layer : {"encoder.layers.0.", "encoder.layers.1."}) {
    const Tensor y = norm(x, layer + "layer_norm1");
    std::vector<Tensor> heads;
    for (int64_t h = 0; h < 2; ++h) {
      const auto part = [&](const char* name) { return linear(y, layer + "self_attn." + name).narrow(1, 4 * h, 4); };
      Tensor scores = at::matmul(part("q_proj"), part("k_proj").t()) / 2;  // sqrt(4)
      scores.masked_fill_(at::ones({6, 6}, at::kBool).triu(1), -INFINITY);
      heads.push_back(at::matmul(at::softmax(scores, -1), part("v_proj")));
    }
    x = x + linear(at::cat(heads, 1), layer + "self_attn.out_proj");
    const Tensor hidden = linear(norm(x, layer + "layer_norm2"), layer + "mlp.fc1");
    x = x + linear(hidden / (1 + at::exp(-1.702 * hidden)), layer + "mlp.fc2");
  }
  const ClipText net(tiny(), w, "test");
  EXPECT_LT(difference(net(kIds)[0], norm(x, "final_layer_norm")), 2e-6);
}

TEST(ClipText, TakesTheActivationOfTheConfig) {
  const at::NoGradGuard no_grad;
  ClipTextConfig gelu = tiny();
  gelu.hidden_act = "gelu";
  EXPECT_GT(difference(ClipText(tiny(), tiny_weights(), "test")(kIds), ClipText(gelu, tiny_weights(), "test")(kIds)),
            1e-4);
  const Tensor x = at::tensor({-1.0, 2.0});
  const auto value = [&](const char* name) { return find(clip_activations(), name, "activation").value(x); };
  EXPECT_NEAR(value("quick_gelu")[1].item<double>(), 2 / (1 + std::exp(-3.404)), 1e-6);
  EXPECT_NEAR(value("gelu")[0].item<double>(), -0.5 * std::erfc(std::sqrt(0.5)), 1e-6);
}

TEST(ClipText, ReadsEveryWayTheWeightsComeIn) {
  const at::NoGradGuard no_grad;
  const TensorMap weights = tiny_weights();
  const Tensor want = ClipText(tiny(), weights, "test")(kIds);
  TensorMap without_prefix, whole = weights, half;
  for (const auto& [name, tensor] : weights) {
    without_prefix[name.substr(std::string("text_model.").size())] = tensor;
    half[name] = tensor.to(at::kHalf);
  }
  whole["text_model.embeddings.position_ids"] = at::arange(6).unsqueeze(0);
  whole["vision_model.post_layernorm.weight"] = whole["logit_scale"] = at::ones({1});
  EXPECT_TRUE(at::equal(ClipText(tiny(), without_prefix, "test")(kIds), want));
  EXPECT_TRUE(at::equal(ClipText(tiny(), whole, "test")(kIds), want));
  const ClipText in_half(tiny(), half, "test");
  EXPECT_LT(difference(in_half(kIds), want), 0.02);
  EXPECT_EQ(in_half(kIds).scalar_type(), at::kFloat);
  for (const auto& [name, tensor, role] : in_half.parameters())
    EXPECT_EQ(tensor.data_ptr(), half.at(name).data_ptr()) << name << " was copied";
}

TEST(ClipText, IsStrict) {
  const auto problem = [&](auto&& change) {
    TensorMap weights = tiny_weights();
    change(weights);
    return error_of([&] { ClipText(tiny(), weights, "file.bin"); });
  };
  const std::string name = "text_model.encoder.layers.1.mlp.fc2.bias";
  expect_mentions(problem([&](TensorMap& w) { w.erase(name); }), {"file.bin", "missing", name});
  expect_mentions(problem([&](TensorMap& w) { w["text_model.encoder.layers.2.mlp.fc2.bias"] = at::zeros({8}); }),
                  {"unexpected", "layers.2"});
  expect_mentions(problem([&](TensorMap& w) { w[name] = at::zeros({9}); }), {"wrong shape", "[9], not [8]"});
  expect_mentions(problem([&](TensorMap& w) { w[name] = at::full({8}, NAN); }), {name, "non-finite"});
  expect_mentions(problem([&](TensorMap& w) { w[name] = at::zeros({8}, at::kLong); }), {name, "floating-point"});
}

TEST(ClipTextConfig, IsThatOfHuggingFace) {
  const auto parse = [](const char* text) {
    return parse_clip_text_config(nlohmann::json::parse(text), "config.json");
  };
  const ClipTextConfig vit_l = parse(R"({"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12})");
  EXPECT_EQ(vit_l.hidden_size, 768);
  EXPECT_EQ(vit_l.num_hidden_layers, 12);
  EXPECT_EQ(vit_l.hidden_act, "quick_gelu");
  EXPECT_EQ(parse(R"({"text_config": {"num_hidden_layers": 3}, "hidden_size": 9})").num_hidden_layers, 3);
  const ClipTextConfig again = parse_clip_text_config(to_json(vit_l), "again");
  EXPECT_EQ(again.intermediate_size, 3072);
  expect_mentions(error_of([&] { parse(R"({"hidden_size": -8})"); }), {"config.json", "hidden_size", "-8"});
  expect_mentions(error_of([&] { parse(R"({"hidden_size": 10, "num_attention_heads": 4})"); }), {"multiple"});
  expect_mentions(error_of([&] { parse(R"({"hidden_act": "relu"})"); }), {"hidden_act", "relu", "quick_gelu, gelu"});
  expect_mentions(error_of([&] { parse("[]"); }), {"config.json"});
}

// Peak of resident memory since the last reset, in bytes.
int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

TEST(TextEncoder, LoadsInTheMemoryOfItsFile) {
  const TemporaryFolder folder;
  ClipTextConfig config = tiny();
  config.vocab_size = 1000;
  config.hidden_size = 512;
  config.intermediate_size = 2048;
  folder.put("config.json", to_json(config).dump());
  write_safetensors(folder / "model.safetensors", {random_weights(ClipText(config).parameters(), 1, at::kHalf), {}});
  const auto bytes = static_cast<double>(fs::file_size(folder / "model.safetensors"));
  ASSERT_GT(bytes, 12e6);
  std::ofstream("/proc/self/clear_refs") << 5;
  const int64_t before = peak_memory();
  const ClipText net(config, read_weights(folder / "model.safetensors").tensors, "test");
  EXPECT_LT(static_cast<double>(peak_memory() - before), 1.3 * bytes);
}

}  // namespace
}  // namespace uvic::clip_text_test
