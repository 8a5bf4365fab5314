#include "unet_vit/feedback.h"

#include <gtest/gtest.h>

#include "core/autocast.h"
#include "tests/random_weights.h"
#include "tests/temporary.h"
#include "tests/unet_vit/literal.h"

namespace uvic::feedback_test {
namespace {

// 36 patches behind time and class, of which the last block has 4.
UVitConfig with_memory(const std::string& memory, const std::string& window = "both", int64_t segments = 1) {
  return resolve({.depth = 4,
                  .dim = 24,
                  .heads = 3,
                  .image_size = 12,
                  .patch = 2,
                  .classes = 5,
                  .memory = memory,
                  .block = 8,
                  .segments = segments,
                  .window = window,
                  .fam_length = 3});
}

UVit network(const UVitConfig& config, at::ScalarType dtype) {
  UVit net(config, 1);
  load_into(net.parameters(), random_weights(net.parameters(), 3), "random");
  net.to(at::kCPU, dtype);
  return net;
}

Tensor noise(const UVitConfig& config) {
  at::Generator generator = make_generator(5, Stream::kNoise);
  return at::randn({2, 3, config.image_size, config.image_size}, generator, at::kFloat);
}

Tensor predict(const UVit& net, const UVit::Observe& observe = {}) {
  const at::ScalarType dtype = net.parameters().front().tensor.scalar_type();
  return net.forward(noise(net.config()).to(dtype), at::tensor({10.0, 700.5}),
                     {.label = at::tensor({1, 4}, at::kLong), .context = {}}, observe);
}

TensorMap observed(const UVit& net) {
  TensorMap seen;
  predict(net, [&](const std::string& name, const Tensor& value) { seen[name] = value; });
  return seen;
}

double difference(const Tensor& a, const Tensor& b) {
  return ((a.to(at::kDouble) - b.to(at::kDouble)).abs().max() / b.abs().max()).item<double>();
}

Parameters gradients(UVit& net, const Tensor& cotangent) {
  net.set_requires_grad(true);
  predict(net).backward(cotangent.to(net.parameters().front().tensor.scalar_type()));
  return net.parameters();
}

std::vector<UVitConfig> variants() {
  std::vector<UVitConfig> all;
  for (const char* memory : {"bswa", "fam"})
    for (const char* window : {"past", "both"})
      for (const int64_t segments : {0, 1, 2, 9}) {
        all.push_back(with_memory(memory, window, segments));
        all.back().skip = segments != 2;
        if (segments == 0) all.back().attention = "softmax";
        if (segments == 2) all.back().end_attention = "cog";
        if (segments == 9) all.back().fam_length = 9;  // more than patches of a block
      }
  return all;
}

std::string describe(const UVitConfig& c) {
  return fmt::format("{} {} {}", c.memory, c.window, c.segments);
}

TEST(Feedback, EveryBlockIsWhatOneWouldWriteDown) {
  const at::NoGradGuard no_grad;
  for (const UVitConfig& config : variants()) {
    const UVit net = network(config, at::kDouble);
    const TensorMap seen = observed(net), literal = LiteralUVit(config, net.parameters())(seen.at("tokens_plus_pos"));
    EXPECT_EQ(literal.size(), config.memory == "fam" ? 10u : 5u);
    for (const auto& [name, value] : literal)
      EXPECT_LT(difference(seen.at(name), value), 1e-11) << describe(config) << ' ' << name;
  }
}

TEST(Feedback, FusedOperationsComputeItWithinRounding) {
  for (UVitConfig config : variants()) {
    config.kernels = "reference";
    UVit exact = network(config, at::kDouble);
    const Tensor want = predict(exact), cotangent = at::cos(at::arange(want.numel(), at::kDouble)).view(want.sizes());
    const Parameters want_gradients = gradients(exact, cotangent);
    config.kernels = "fused";
    UVit fast = network(config, at::kFloat);
    EXPECT_LT(difference(predict(fast), want), 2e-5) << describe(config);
    const Parameters got = gradients(fast, cotangent);
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_LT(difference(got[i].tensor.grad(), want_gradients[i].tensor.grad()), 2e-4)
          << describe(config) << ' ' << got[i].name;
  }
}

TEST(Feedback, GradientsAreThoseOfFiniteDifferences) {
  for (const UVitConfig& config : {with_memory("fam"), with_memory("fam", "past"), with_memory("bswa")}) {
    UVit net = network(config, at::kDouble);
    const Tensor cotangent = at::cos(at::arange(noise(config).numel(), at::kDouble)).view({2, 3, 12, 12});
    const auto loss = [&] { return (predict(net) * cotangent).sum().item<double>(); };
    for (const auto& [name, tensor, role] : gradients(net, cotangent)) {
      if (name != "fam_embedding" && name != "pos_embed" && name != "mid_block.attn.qkv.weight" &&
          name != "out_blocks.1.skip_linear.weight" && name != "in_blocks.0.mlp.fc1.bias")
        continue;
      const at::NoGradGuard no_grad;
      const Tensor direction = at::sin(at::arange(tensor.numel(), at::kDouble)).view(tensor.sizes());
      constexpr double kStep = 1e-6;
      Tensor p = tensor;
      p.add_(direction, kStep);
      const double above = loss();
      p.sub_(direction, 2 * kStep);
      const double below = loss();
      p.add_(direction, kStep);
      const double want = (tensor.grad() * direction).sum().item<double>();
      EXPECT_NEAR((above - below) / (2 * kStep), want, 1e-5 * std::abs(want)) << describe(config) << ' ' << name;
      EXPECT_GT(std::abs(want), 1e-3) << name;
    }
  }
}

// Within one block of the network; from the second on the tokens in front have seen all patches.
double reach(const UVitConfig& config, int64_t from, int64_t to) {
  UVit net = network(config, at::kDouble);
  net.set_requires_grad(true);
  const Tensor after_one = observed(net).at("block0");
  const int64_t extras = extra_tokens(config);
  at::sin(after_one.select(1, extras + to)).sum().backward();
  return to_map(net.parameters()).at("pos_embed").grad()[0][extras + from].abs().max().item<double>();
}

TEST(Feedback, ReachesAcrossThePictureWhereTheWindowDoesNot) {
  EXPECT_GT(reach(with_memory("bswa"), 8, 0), 0);  // the next block
  EXPECT_EQ(reach(with_memory("bswa"), 16, 0), 0);
  EXPECT_EQ(reach(with_memory("bswa", "past"), 8, 0), 0);
  EXPECT_GT(reach(with_memory("bswa"), 24, 35), 0);
  EXPECT_EQ(reach(with_memory("bswa"), 0, 35), 0);
  EXPECT_GT(reach(with_memory("fam"), 0, 35), 1e-9);
  EXPECT_EQ(reach(with_memory("fam"), 35, 0), 0);  // forwards only
}

TEST(Feedback, OneBlockOfAllPatchesIsNoMemory) {
  const at::NoGradGuard no_grad;
  UVitConfig config = with_memory("none");
  const Tensor plain = predict(network(config, at::kDouble));
  config.memory = "bswa";
  EXPECT_GT(difference(predict(network(config, at::kDouble)), plain), 1e-3);
  config.block = 36;
  EXPECT_LT(difference(predict(network(config, at::kDouble)), plain), 1e-12);
  config.block = 1000, config.window = "past";
  EXPECT_LT(difference(predict(network(config, at::kDouble)), plain), 1e-12);
  config.block = 8, config.window = "both", config.segments = 4;
  EXPECT_LT(difference(predict(network(config, at::kDouble)), plain), 1e-12);
}

TEST(Feedback, WeightsWithoutMemoryGoOn) {
  const TensorMap plain = to_map(UVit(with_memory("none"), 9).parameters());
  const UVit window(with_memory("bswa"), 2), feedback(with_memory("fam"), 2);
  load_into(window.parameters(), plain, "plain");
  expect_mentions(error_of([&] { load_into(feedback.parameters(), plain, "plain"); }), {"missing: fam_embedding"});

  const Tensor drawn = to_map(feedback.parameters()).at("fam_embedding").clone();
  TensorMap completed = plain;
  completed.merge(to_map(feedback.parameters()));
  load_into(feedback.parameters(), completed, "plain");
  const TensorMap now = to_map(feedback.parameters());
  EXPECT_TRUE(at::equal(now.at("fam_embedding"), drawn));
  for (const auto& [name, tensor] : plain) EXPECT_TRUE(at::equal(now.at(name), tensor)) << name;
}

TEST(Feedback, TheLearnedMemoryIsDrawnFromTheSeedAndChangesNothingElse) {
  UVitConfig config = with_memory("fam");
  config.dim = 240, config.fam_length = 40;
  const TensorMap fam = to_map(UVit(config, 4).parameters());
  EXPECT_EQ(fam.at("fam_embedding").sizes(), (std::vector<int64_t>{40, 240}));
  EXPECT_NEAR(fam.at("fam_embedding").std().item<double>(), 0.02, 1e-3);
  EXPECT_FALSE(at::equal(fam.at("fam_embedding"), to_map(UVit(config, 5).parameters()).at("fam_embedding")));
  config.memory = "none";
  for (const auto& [name, tensor] : to_map(UVit(config, 4).parameters())) EXPECT_TRUE(at::equal(tensor, fam.at(name)));
}

TEST(Feedback, CheckpointingGivesTheSameGradients) {
  for (const char* memory : {"bswa", "fam"}) {
    UVitConfig config = with_memory(memory);
    UVit kept = network(config, at::kFloat);
    config.checkpointing = true;
    UVit again = network(config, at::kFloat);
    const Tensor cotangent = at::ones_like(noise(config));
    const Parameters a = gradients(kept, cotangent), b = gradients(again, cotangent);
    for (size_t i = 0; i < a.size(); ++i)
      EXPECT_TRUE(at::allclose(b[i].tensor.grad(), a[i].tensor.grad(), 1e-4, 1e-6)) << memory << ' ' << a[i].name;
  }
}

TEST(Feedback, MemoryStaysInFloat32AndMatricesMayBeStoredInBf16) {
  for (const char* kernels : {"fused", "reference"}) {
    UVitConfig config = with_memory("fam");
    config.attention = "softmax";  // Cog's signs flip where scores are near 0, which is no matter of rounding
    config.kernels = kernels;
    const at::NoGradGuard no_grad;
    const UVit net = network(config, at::kFloat);
    const Tensor exact = predict(net);
    UVit stored = network(config, at::kFloat);
    stored.store_matrices(at::kBFloat16);
    const Autocast autocast(at::kCPU, at::kBFloat16);
    const TensorMap seen = observed(net);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(seen.at(fmt::format("fam.{}", i)).scalar_type(), at::kFloat) << kernels;
    const Tensor converted = predict(net);
    EXPECT_TRUE(at::equal(predict(stored), converted)) << kernels;
    EXPECT_LT(difference(converted, exact), 0.05) << kernels;
  }
}

// Under bf16 the matrices are converted once for all blocks; their gradients come back in float32.
TEST(Feedback, GradientsUnderBf16AreThoseOfFloat32WithinRounding) {
  UVitConfig config = with_memory("fam");
  config.attention = "softmax";
  const Tensor cotangent = at::ones_like(noise(config));
  UVit exact = network(config, at::kFloat), rounded = network(config, at::kFloat);
  const Parameters want = gradients(exact, cotangent);
  const Autocast autocast(at::kCPU, at::kBFloat16);
  const Parameters got = gradients(rounded, cotangent);
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].tensor.grad().scalar_type(), at::kFloat) << got[i].name;
    const double error = (at::linalg_vector_norm(got[i].tensor.grad() - want[i].tensor.grad()) /
                          at::linalg_vector_norm(want[i].tensor.grad()))
                             .item<double>();
    EXPECT_LT(error, 0.1) << got[i].name;
  }
}

}  // namespace
}  // namespace uvic::feedback_test
