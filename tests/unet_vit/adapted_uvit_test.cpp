// Adapters on a U-ViT.
#include <gtest/gtest.h>

#include "core/autocast.h"
#include "core/random.h"
#include "tests/unet_vit/small_uvit.h"
#include "transformer/lora.h"
#include "unet_vit/uvit.h"

namespace uvic::adapted_uvit_test {
namespace {

void adapt(UVit& net, const Adapters& adapters) {
  const TensorMap weights = adapters.weights();
  net.replace([&](const std::string& name, const Tensor&, Role) { return weights.at(name); });
}

Tensor run(const UVit& net) {
  at::Generator generator = make_generator(5, Stream::kNoise);
  return net(at::randn({2, 3, 8, 8}, generator), at::tensor({10.0f, 700.5f}));
}

// The gradients of all adapters, whose zero factors have got values first.
TensorMap gradients(UVitConfig config, at::ScalarType precision) {
  UVit net(config, 1);
  const Parameters before = net.parameters();
  const Adapters adapters(before, {.rank = 2}, 3, MatrixLayout::kOutIn);
  at::Generator generator = make_generator(4, Stream::kNoise);
  for (const Parameter& p : adapters.parameters()) {
    if (p.name.ends_with("lora_B.weight")) p.tensor.normal_(0, 0.1, generator);
    p.tensor.set_requires_grad(true);
  }
  adapt(net, adapters);
  Tensor loss;
  {
    const Autocast autocast(at::kCPU, precision);
    loss = run(net).square().mean();
  }
  loss.backward();
  for (const Parameter& p : before) EXPECT_FALSE(p.tensor.grad().defined()) << p.name;
  TensorMap all;
  for (const Parameter& p : adapters.parameters()) all[p.name] = p.tensor.grad();
  return all;
}

TEST(AdaptedUVit, BeginsAsThePlainOneBitForBit) {
  for (const char* kernels : {"fused", "reference"}) {
    UVitConfig config = small_uvit();
    config.kernels = kernels;
    UVit net(config, 1);
    const Tensor plain = run(net);
    adapt(net, Adapters(net.parameters(), {.rank = 4}, 3, MatrixLayout::kOutIn));
    EXPECT_TRUE(at::equal(run(net), plain)) << kernels;
  }
}

TEST(AdaptedUVit, HasAdaptersOnTheMatricesOfItsBlocks) {
  const UVit net(small_uvit(), 1);
  const Adapters adapters(net.parameters(), {.rank = 2}, 3, MatrixLayout::kOutIn);
  // Five blocks of four matrices, two of which begin with the projection of a skip.
  EXPECT_EQ(adapters.parameters().size(), 2u * (5 * 4 + 2));
  EXPECT_TRUE(to_map(adapters.parameters()).contains("out_blocks.0.skip_linear.lora_A.weight"));
}

TEST(AdaptedUVit, GivesAdaptersAloneTheSameGradientsByEveryWay) {
  UVitConfig config = small_uvit();
  const TensorMap fused = gradients(config, at::kFloat), rounded = gradients(config, at::kBFloat16);
  config.checkpointing = true;
  const TensorMap again = gradients(config, at::kFloat);
  config.kernels = "reference";
  const TensorMap reference = gradients(config, at::kFloat);
  for (const auto& [name, gradient] : reference) {
    const double size = gradient.abs().max().item<double>();
    EXPECT_GT(size, 0) << name;
    EXPECT_TRUE(at::allclose(fused.at(name), gradient, 0, 1e-4 * size)) << name;
    EXPECT_TRUE(at::allclose(rounded.at(name), gradient, 0, 0.1 * size)) << name;
    EXPECT_TRUE(at::allclose(again.at(name), gradient, 0, 1e-4 * size)) << name;
  }
}

}  // namespace
}  // namespace uvic::adapted_uvit_test
