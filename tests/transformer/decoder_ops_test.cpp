#include "transformer/kernels/decoder_ops.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "transformer/kernels/isa.h"
#include "transformer/kernels/kernel_table.h"

namespace uvic::decoder_ops_test {
namespace {

// Two rows of 150 tokens: pieces of work that are not full, and vectors that are not.
constexpr int64_t kBatch = 2, kLength = 150, kDim = 70, kHeads = 3, kHeadDim = 10;

struct Case {
  const char* name;
  std::vector<Tensor> inputs;
  std::function<Tensor(const std::vector<Tensor>&)> compute;
};

std::vector<Case> cases() {
  at::Generator generator = make_generator(3, Stream::kNoise);
  const auto draw = [&](at::IntArrayRef shape, double scale = 1) {
    return at::randn(shape, generator, at::kFloat) * scale;
  };
  const Tensor angles = draw({kLength, kHeadDim / 2}, 3);
  const auto multiply = [](const std::vector<Tensor>& in) { return multiply_rows(in[0], in[1]); };
  const auto gate = [](const std::vector<Tensor>& in) { return gate_by_silu(in[0], in[1]); };
  return {
      {"multiply_rows", {draw({kBatch, kLength, kDim}), draw({kDim, 37})}, multiply},
      {"multiply_rows by a transposed matrix", {draw({kBatch, kLength, kDim}), draw({37, kDim}).t()}, multiply},
      {"multiply_rows of a few", {draw({1, 3, kDim}), draw({kDim, 37})}, multiply},
      {"multiply_rows of one", {draw({1, 1, 200}), draw({200, 301})}, multiply},
      {"multiply_rows of one by a transposed matrix", {draw({1, 1, 200}), draw({301, 200}).t()}, multiply},
      {"rms_norm",
       {draw({kBatch, kLength, kDim}, 2), draw({kDim})},
       [](const std::vector<Tensor>& in) {
         return rms_norm(in[0], {in[1], 1e-3});
       }},
      {"rotate_pairs",
       {draw({kBatch, kLength, kHeads, kHeadDim})},
       [angles](const std::vector<Tensor>& in) {
         const Tensor by = angles.to(in[0].scalar_type());
         return rotate_pairs(in[0], by.cos(), by.sin());
       }},
      {"gate_by_silu", {draw({kBatch, kLength, kDim}), draw({kBatch, kLength, kDim}, 30)}, gate},
  };
}

// The value, and the gradients of the inputs under a fixed cotangent.
std::vector<Tensor> differentiate(const Case& c, at::ScalarType dtype) {
  std::vector<Tensor> leaves;
  for (const Tensor& input : c.inputs) leaves.push_back(input.to(dtype).detach().requires_grad_());
  const Tensor out = c.compute(leaves);
  out.backward(at::linspace(-1, 1, out.numel(), dtype).view(out.sizes()));
  std::vector<Tensor> results{out.detach()};
  for (const Tensor& leaf : leaves) results.push_back(leaf.grad());
  return results;
}

// In float64 the operations are plain, and LibTorch derives them.
TEST(DecoderOps, ValuesAndGradientsAreThoseOfPlainOperationsInFloat64) {
  for (const Case& c : cases()) {
    const std::vector<Tensor> got = differentiate(c, at::kFloat), want = differentiate(c, at::kDouble);
    for (size_t i = 0; i < want.size(); ++i) {
      const double error = ((got[i] - want[i]).abs().max() / want[i].abs().max()).item<double>();
      EXPECT_LT(error, 1e-6) << c.name << " " << i;
    }
  }
}

TEST(DecoderOps, WithoutGradientsTheValueIsTheSame) {
  for (const Case& c : cases()) {
    const Tensor want = differentiate(c, at::kFloat)[0];
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(c.compute(c.inputs), want)) << c.name;
  }
}

TEST(DecoderOps, AreTheSameBitsAtAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  const KernelTable& table = *default_kernel_isa().value.kernels;
  const bool has_products = table.products || table.float_products;
  for (const Case& c : cases()) {
    at::set_num_threads(1);
    const std::vector<Tensor> one = differentiate(c, at::kFloat);
    at::set_num_threads(3);
    const std::vector<Tensor> three = differentiate(c, at::kFloat);
    at::set_num_threads(before);
    // Few rows are LibTorch's, and so are all where we have no product.
    const std::string_view name = c.name;
    if (name == "multiply_rows of a few" || (name.starts_with("multiply_rows") && !has_products)) continue;
    for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], three[i])) << c.name << " " << i;
  }
}

// Views of larger tensors, whose rows lie apart.
TEST(DecoderOps, TakeAnyStrides) {
  at::Generator generator = make_generator(4, Stream::kNoise);
  const Tensor all = at::randn({4, 300, 6, 40}, generator, at::kFloat), part = all.slice(1, 3, 180).slice(3, 2, 22);
  const Tensor angles = at::randn({2, 177, 10}, generator, at::kFloat);
  EXPECT_TRUE(
      at::equal(rotate_pairs(part, angles[0], angles[1]), rotate_pairs(part.contiguous(), angles[0], angles[1])));
  EXPECT_TRUE(at::equal(gate_by_silu(part, part), gate_by_silu(part.contiguous(), part.contiguous())));
  const RmsNorm norm{at::ones({20}), 1e-6};
  EXPECT_TRUE(at::equal(rms_norm(part, norm), rms_norm(part.contiguous(), norm)));
  const Tensor w = all[0][0].slice(1, 0, 40, 2).t();  // [20, 6]
  EXPECT_TRUE(at::allclose(multiply_rows(part, w), at::matmul(part, w), 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(multiply_rows(part[0][0].narrow(0, 0, 1), w), at::matmul(part[0][0].narrow(0, 0, 1), w),
                           1e-5, 1e-5));
}

TEST(DecoderOps, ASiluOfAnySizeIsFiniteAndANaNStays) {
  const Tensor p = at::tensor({-1e30f, -200.0f, 0.0f, 200.0f, 1e30f}), g = at::ones({5});
  EXPECT_TRUE(at::allclose(gate_by_silu(g, p), at::silu(p), 1e-6, 1e-12));
  EXPECT_TRUE(at::isnan(gate_by_silu(g, at::full({5}, std::nan("")))).all().item<bool>());
}

TEST(DecoderOps, OfNothing) {
  EXPECT_EQ(multiply_rows(at::zeros({0, 4}), at::zeros({4, 5})).sizes(), at::IntArrayRef({0, 5}));
  EXPECT_EQ(rms_norm(at::zeros({0, 4}), {at::ones({4})}).sizes(), at::IntArrayRef({0, 4}));
  EXPECT_TRUE(at::equal(multiply_rows(at::zeros({3, 0}), at::zeros({0, 5})), at::zeros({3, 5})));
}

}  // namespace
}  // namespace uvic::decoder_ops_test
