#include "encoders/clip.h"

#include <gtest/gtest.h>

#include "core/image/image.h"
#include "tests/random_weights.h"
#include "tests/temporary.h"

namespace uvic::clip_test {
namespace {

constexpr int64_t kSize = 12, kPatch = 4, kDim = 8;

ClipConfig tiny() {
  ClipConfig config;
  config.text = {.vocab_size = 12,
                 .hidden_size = 6,
                 .intermediate_size = 16,
                 .num_hidden_layers = 2,
                 .num_attention_heads = 2,
                 .max_position_embeddings = 6};
  config.vision = {.hidden_size = kDim,
                   .intermediate_size = 16,
                   .num_hidden_layers = 2,
                   .num_attention_heads = 2,
                   .image_size = kSize,
                   .patch_size = kPatch};
  config.projection_dim = 5;
  return config;
}

TensorMap tiny_weights() {
  TensorMap weights = random_weights(Clip(tiny()).parameters(), 1);
  weights["logit_scale"] = at::scalar_tensor(4.6);
  weights["vision_model.embeddings.position_ids"] = at::arange(10).unsqueeze(0);
  return weights;
}

Tensor some_pixels(int64_t count) {
  return at::sin(at::arange(count * 3 * kSize * kSize, at::kFloat) * 0.7).view({count, 3, kSize, kSize});
}

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// In float64, written out: each patch a product, no mask.
TEST(Clip, SeesImagesAsTheTransformerOfThePaper) {
  const at::NoGradGuard no_grad;
  const TensorMap w = tiny_weights();
  const auto get = [&](const std::string& name) { return w.at(name).to(at::kDouble); };
  const auto part_of = [&](const std::string& name) { return get("vision_model." + name); };
  const auto linear = [&](const Tensor& x, const std::string& name) {
    return at::matmul(x, part_of(name + ".weight").t()) + part_of(name + ".bias");
  };
  const auto norm = [&](const Tensor& x, const std::string& name) {
    const Tensor centred = x - x.mean(-1, true);
    return centred / at::sqrt(centred.square().mean(-1, true) + 1e-5) * part_of(name + ".weight") +
           part_of(name + ".bias");
  };
  const Tensor pixels = some_pixels(1), kernel = part_of("embeddings.patch_embedding.weight").flatten(1);
  std::vector<Tensor> tokens{part_of("embeddings.class_embedding")};
  for (int64_t row = 0; row < kSize; row += kPatch)
    for (int64_t column = 0; column < kSize; column += kPatch) {
      const Tensor patch = pixels[0].narrow(1, row, kPatch).narrow(2, column, kPatch);
      tokens.push_back(at::mv(kernel, patch.flatten().to(at::kDouble)));
    }
  Tensor x = norm(at::stack(tokens) + part_of("embeddings.position_embedding.weight"), "pre_layrnorm");
  for (const std::string layer : {"encoder.layers.0.", "encoder.layers.1."}) {
    const Tensor y = norm(x, layer + "layer_norm1");
    std::vector<Tensor> heads;
    for (int64_t h = 0; h < 2; ++h) {
      const auto part = [&](const char* name) { return linear(y, layer + "self_attn." + name).narrow(1, 4 * h, 4); };
      const Tensor shares = at::softmax(at::matmul(part("q_proj"), part("k_proj").t()) / 2, -1);  // sqrt(4)
      heads.push_back(at::matmul(shares, part("v_proj")));
    }
    x = x + linear(at::cat(heads, 1), layer + "self_attn.out_proj");
    const Tensor hidden = linear(norm(x, layer + "layer_norm2"), layer + "mlp.fc1");
    x = x + linear(hidden / (1 + at::exp(-1.702 * hidden)), layer + "mlp.fc2");
  }
  const Tensor want = at::mv(get("visual_projection.weight"), norm(x[0], "post_layernorm"));
  const Clip clip(tiny(), w, "test");
  EXPECT_LT(difference(clip.of_images(pixels)[0], want), 2e-6);
  const Tensor three = clip.of_images(some_pixels(3));
  EXPECT_EQ(three.sizes(), at::IntArrayRef({3, 5}));
  EXPECT_LT(difference(three[0], want), 2e-6);  // whatever is beside it
}

TEST(Clip, TakesTheStateAtTheFirstEndOfText) {
  const at::NoGradGuard no_grad;
  const TensorMap w = tiny_weights();
  const Clip clip(tiny(), w, "test");
  const ClipText text(tiny().text, w, "test");
  const auto state_at = [&](const std::vector<int64_t>& ids, int64_t place) {
    return at::matmul(w.at("text_projection.weight"), text(at::tensor(ids, at::kLong).unsqueeze(0))[0][place]);
  };
  const std::vector<int64_t> padded{10, 3, 7, 11, 11, 11}, twice{10, 3, 11, 7, 11, 11};
  EXPECT_LT(difference(clip.of_text({.ids = padded, .used = 4})[0], state_at(padded, 3)), 1e-6);
  EXPECT_LT(difference(clip.of_text({.ids = twice, .used = 5})[0], state_at(twice, 2)), 1e-6);
  EXPECT_GT(difference(state_at(twice, 2), state_at(twice, 4)), 1e-3);
}

// A picture of 20 x 40, grey levels 0, 4, 8, ... from column to column, brought to half its size.
TEST(Clip, SeesTheSquareInTheMiddle) {
  const Tensor columns = (at::arange(40) * 4).to(at::kByte).view({1, 1, 40}).expand({3, 20, 40});
  const Tensor mean = at::tensor({0.48145466, 0.4578275, 0.40821073}).view({3, 1, 1});
  const Tensor deviation = at::tensor({0.26862954, 0.26130258, 0.27577711}).view({3, 1, 1});
  const auto grey = [&](const Tensor& pixels) { return (pixels * deviation + mean) * 255; };
  const Tensor wide = grey(clip_input(columns, 10, "a")), tall = grey(clip_input(columns.transpose(1, 2), 10, "a"));
  ASSERT_EQ(wide.sizes(), at::IntArrayRef({3, 10, 10}));
  // Output column i, in the middle of columns 10 + 2 i and 11 + 2 i.
  const Tensor want = at::arange(10, at::kFloat) * 8 + 42;
  EXPECT_LT(difference(wide, want.expand({3, 10, 10})), 0.51);
  EXPECT_LT(difference(tall, want.view({1, 10, 1}).expand({3, 10, 10})), 0.51);
  EXPECT_EQ(clip_input(columns.narrow(2, 0, 33), 7, "a").size(2), 7);  // 11 columns: 2 are cut off on either side
  const auto line = [](int64_t length) { return at::zeros({3, 1, length}, at::kByte); };
  EXPECT_EQ(clip_input(line(50), 7, "a").size(2), 7);
  expect_mentions(error_of([&] { clip_input(line(51), 7, "line.png"); }), {"line.png", "51 x 1", "50 times"});
}

TEST(Clip, IsStrict) {
  const auto problem = [&](auto&& change) {
    TensorMap weights = tiny_weights();
    change(weights);
    return error_of([&] { Clip(tiny(), weights, "file.bin"); });
  };
  expect_mentions(
      problem([](TensorMap& w) { std::erase_if(w, [](auto& x) { return x.first.starts_with("vision"); }); }),
      {"file.bin", "no vision_model", "text half"});
  expect_mentions(problem([](TensorMap& w) { w.erase("vision_model.post_layernorm.bias"); }),
                  {"file.bin", "missing", "vision_model.post_layernorm.bias"});
  expect_mentions(problem([](TensorMap& w) { w["vision_model.encoder.layers.2.mlp.fc1.bias"] = at::zeros({16}); }),
                  {"unexpected", "layers.2"});
  expect_mentions(problem([](TensorMap& w) {
                    w["vision_model.embeddings.patch_embedding.weight"] = at::zeros({8, 3, 2, 2});
                  }),
                  {"wrong shape", "[8, 3, 2, 2]"});
  expect_mentions(problem([](TensorMap& w) { w.erase("visual_projection.weight"); }), {"missing", "visual_projection"});
  expect_mentions(problem([](TensorMap& w) {
                    w["text_projection.weight"] = at::zeros({4, 6});
                  }),
                  {"wrong shape", "text_projection"});
  expect_mentions(problem([](TensorMap& w) { w["text_projection.weight"] = at::full({5, 6}, NAN); }), {"non-finite"});
  for (const char* name : {"text_projection.bias", "visual_projection.scale"})
    expect_mentions(problem([&](TensorMap& w) { w[name] = at::zeros({5}); }), {"unexpected", name});
}

TEST(ClipConfig, IsThatOfHuggingFace) {
  const auto parse = [](const char* text) { return parse_clip_config(nlohmann::json::parse(text), "config.json"); };
  const ClipConfig large = parse(
      R"({"model_type": "clip", "projection_dim": 768, "text_config": {"hidden_size": 768, "num_attention_heads": 12},
          "vision_config": {"hidden_size": 1024, "num_attention_heads": 16, "patch_size": 14, "hidden_act": "gelu"}})");
  EXPECT_EQ(large.projection_dim, 768);
  EXPECT_EQ(large.text.hidden_size, 768);
  EXPECT_EQ(large.text.hidden_act, "quick_gelu");
  EXPECT_EQ(large.vision.patch_size, 14);
  EXPECT_EQ(large.vision.image_size, 224);
  EXPECT_EQ(large.vision.hidden_act, "gelu");
  const auto problem = [&](const char* text) { return error_of([&] { parse(text); }); };
  expect_mentions(problem(R"({"hidden_size": 8})"), {"config.json", "text_config", "clip-vit-base-patch32"});
  expect_mentions(problem(R"({"text_config": {}})"), {"vision_config"});
  expect_mentions(problem(R"({"model_type": "siglip", "text_config": {}, "vision_config": {}})"), {"siglip", "clip"});
  expect_mentions(problem(R"({"text_config": {}, "vision_config": {"patch_size": 0}})"), {"patch_size", "0"});
  expect_mentions(problem(R"({"text_config": {}, "vision_config": {"patch_size": 300}})"), {"300", "image_size 224"});
  expect_mentions(problem(R"({"text_config": {}, "vision_config": {"hidden_act": "silu"}})"), {"silu", "quick_gelu"});
  expect_mentions(problem(R"({"text_config": {"max_position_embeddings": 1}, "vision_config": {}})"), {"1", "of 2 to"});
  expect_mentions(problem(R"({"text_config": {"num_hidden_layers": 1001}, "vision_config": {}})"), {"1001", "to 1000"});
  expect_mentions(problem(R"({"text_config": {}, "vision_config": {"num_hidden_layers": 16777216}})"), {"to 1000"});
  expect_mentions(problem(R"({"text_config": {}, "vision_config": {"image_size": 8193}})"), {"8193", "to 8192"});
  expect_mentions(problem(R"({"text_config": {}, "vision_config": {"hidden_size": 65537}})"), {"65537", "to 65536"});
  expect_mentions(problem(R"({"text_config": {}, "vision_config": {}, "projection_dim": 18446744073709551615})"),
                  {"projection_dim", "to 65536"});
}

}  // namespace
}  // namespace uvic::clip_test
