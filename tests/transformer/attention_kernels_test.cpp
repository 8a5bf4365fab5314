// The CPU attention kernels of every instruction set that this machine has, against the definitions in float64.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/temporary.h"
#include "tests/transformer/attention_definition.h"
#include "tests/transformer/attention_problem.h"
#include "transformer/kernels/attention_ops.h"

namespace uvic::attention_kernels_test {
namespace {

const std::pair<const char*, Attend> kDefinitions[] = {{"softmax", softmax_by_definition}, {"cog", cog_by_definition}};

class Kernels : public ::testing::TestWithParam<Entry<KernelIsa>> {
 protected:
  // The problems are small: waking a second thread would take longer than they do.
  void SetUp() override { at::set_num_threads(1); }
  void TearDown() override { at::set_num_threads(threads_); }

  Result compute(const Problem& p, const char* weighting = "cog") const {
    const auto kernel = [&](const Qkv& qkv, const AttendOptions& options) {
      return attention_cpu(qkv, options, weighting, *GetParam().value.kernels);
    };
    return run(p, kernel, p.qkv.scalar_type());
  }

  void expect_near_definition(const Problem& p, double out_tolerance, double gradient_tolerance,
                              const std::string& what) const {
    const Tensor scores = scores_by_definition(p.inputs(p.qkv.to(at::kDouble)), p.options).abs();
    EXPECT_GT(scores.masked_select(scores > 0).min().item<double>(), 1e-2) << what;
    for (const auto& [weighting, definition] : kDefinitions) {
      const Result got = compute(p, weighting), want = run(p, definition, at::kDouble);
      const std::string where = fmt::format("{}, weighting {}", what, weighting);
      EXPECT_EQ(got.out.scalar_type(), p.qkv.scalar_type()) << where;
      EXPECT_LE(distance(got.out, want.out), out_tolerance) << where;
      EXPECT_LE(distance(got.d_qkv, want.d_qkv), gradient_tolerance) << where;
    }
  }

  // Every mask on every length, and on every head dimension; some with fewer queries than keys.
  void expect_near_definition_for_all_shapes(at::ScalarType dtype, double out, double gradient) const {
    std::vector<Shape> shapes;
    for (const int64_t length : {1, 2, 7, 16, 31, 79, 257, 600}) shapes.push_back({length, 64});
    for (const int64_t dim : {5, 16, 24, 32, 72, 80, 128}) shapes.push_back({31, dim});
    for (const int64_t queries : {1, 5, 70})
      shapes.push_back({.length = 600, .dim = 32, .heads = 1, .queries = queries});
    shapes.push_back({.length = 40, .dim = 21, .queries = 1});
    for (const Shape& shape : shapes) {
      Problem p = make_problem(shape, dtype);
      for (auto& [name, keys] : all_masks(p.queries, shape.length)) {
        p.options.keys = keys;
        expect_near_definition(
            p, out, gradient,
            fmt::format("{} queries of length {}, dim {}, {}", p.queries, shape.length, shape.dim, name));
      }
    }
  }

  const int threads_ = at::get_num_threads();
};

TEST_P(Kernels, Float32EqualsTheDefinition) {
  expect_near_definition_for_all_shapes(at::kFloat, 2e-6, 1e-5);
}

// Weights and gradients of scores may be rounded to bfloat16, 2^-9 of each, and so are results of up to 4 (outputs) and
// 16 (gradients).
TEST_P(Kernels, Bfloat16EqualsTheDefinition) {
  expect_near_definition_for_all_shapes(at::kBFloat16, 1.6e-2, 6.3e-2);
}

TEST_P(Kernels, ZeroScoresHaveNoWeightAndNoGradient) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Problem p = make_problem({79, 64}, dtype);
    p.qkv.select(2, 0).narrow(1, 3, 2).fill_(0);  // queries
    p.qkv.select(2, 0).narrow(1, 5, 2).fill_(-0.0);
    p.qkv.select(2, 1).narrow(1, 9, 1).fill_(0);  // a key
    p.qkv.select(2, 1).narrow(1, 11, 1).fill_(-0.0);
    const bool precise = dtype == at::kFloat;
    expect_near_definition(p, precise ? 2e-6 : 1.6e-2, precise ? 1e-5 : 6.3e-2, "zeros");
    const Result result = compute(p);
    EXPECT_EQ(result.out.narrow(1, 3, 4).abs().max().item<double>(), 0);
    EXPECT_EQ(result.d_qkv.select(2, 1).select(1, 9).abs().max().item<double>(), 0);
  }
}

TEST_P(Kernels, AnImageWithoutKeysGivesZeros) {
  Problem p = make_problem({20, 16});
  p.options.keys = first_keys(at::tensor({0, 20}, at::kLong), 20);
  const Result result = compute(p);
  EXPECT_EQ(result.out[0].abs().max().item<double>(), 0);
  EXPECT_EQ(result.d_qkv[0].abs().max().item<double>(), 0);
  EXPECT_GT(result.out[1].abs().max().item<double>(), 0);
}

TEST_P(Kernels, TakeNoQueriesAndNoKeys) {
  const auto rows = [](int64_t length) { return at::ones({2, length, 1, 8}).requires_grad_(); };
  for (const auto& [queries, keys] : {std::pair(0, 3), {3, 0}}) {
    const Qkv in{rows(queries), rows(keys), rows(keys)};
    const Tensor out = attention_cpu(in, {.scale = 1}, "cog", *GetParam().value.kernels);
    EXPECT_EQ(out.sizes(), in.q.sizes());
    out.sum().backward();
    for (const Tensor& x : {out, in.q.grad(), in.k.grad(), in.v.grad()}) EXPECT_TRUE(at::equal(x, at::zeros_like(x)));
  }
}

// Tensors that are not the whole of the packed one are taken as they are.
TEST_P(Kernels, PackedCountsWhereItIsAllThereIs) {
  const Problem p = make_problem({20, 16});
  Qkv part = unpack(p.qkv);
  part.q = part.q.narrow(1, 15, 5);
  const AttendOptions last{.scale = 0.3, .keys = causal_keys(5, 20)}, all{.scale = 0.3, .keys = causal_keys(20, 20)};
  const auto attend = [&](const Qkv& in, const AttendOptions& options) {
    return attention_cpu(in, options, "cog", *GetParam().value.kernels);
  };
  EXPECT_TRUE(at::allclose(attend(part, last), attend(unpack(p.qkv), all).narrow(1, 15, 5), 1e-5, 1e-6));
}

TEST_P(Kernels, RefuseQueriesKeysAndValuesOfSeveralTypes) {
  Qkv in = make_problem({20, 16}).inputs();
  in.packed = Tensor();
  in.v = in.v.to(at::kBFloat16);
  EXPECT_THROW(attention_cpu(in, {.scale = 1}, "cog", *GetParam().value.kernels), c10::Error);
}

TEST_P(Kernels, LargeScoresStayFinite) {
  for (const auto& [weighting, definition] : kDefinitions) {
    Problem p = make_problem({40, 32});
    p.qkv.narrow(2, 0, 2).mul_(100);
    const Result result = compute(p, weighting);
    EXPECT_TRUE(at::isfinite(result.out).all().item<bool>());
    EXPECT_TRUE(at::isfinite(result.d_qkv).all().item<bool>());
    EXPECT_LE(distance(result.out, run(p, definition, at::kDouble).out), 1e-2);
  }
}

// NaN in one key is seen by those that see the key, and by no other.
TEST_P(Kernels, NanIsNotHidden) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const auto& [weighting, definition] : kDefinitions) {
      Problem p = make_problem({90, 32, 1, 1}, dtype);
      p.options.keys = causal_keys(90, 90);
      p.qkv.select(2, 1).select(1, 40).select(-1, 3).fill_(std::numeric_limits<float>::quiet_NaN());
      const Result result = compute(p, weighting);
      const Tensor finite = at::isfinite(result.out).all(-1).flatten();
      EXPECT_TRUE(finite.narrow(0, 0, 40).all().item<bool>()) << weighting;
      EXPECT_FALSE(finite.narrow(0, 40, 50).any().item<bool>()) << weighting;
    }
}

TEST_P(Kernels, SlopeIsThatOfDifferences) {
  // Along a random direction, of the loss sum(out * d_out); float32 differences are good to about 1e-3.
  Problem p = make_problem({33, 24});
  const Tensor direction = at::randn(p.qkv.sizes(), make_generator(3, Stream::kNoise), at::kFloat);
  const auto loss = [&](double step) {
    const Tensor out = attention_cpu(unpack(p.qkv + direction * step), p.options, "cog", *GetParam().value.kernels);
    return (out * p.d_out).sum(at::kDouble).item<double>();
  };
  const double slope = (compute(p).d_qkv * direction).sum(at::kDouble).item<double>();
  EXPECT_NEAR((loss(1e-3) - loss(-1e-3)) / 2e-3, slope, 1e-2 * std::abs(slope));
}

TEST_P(Kernels, SameBitsAtAnyNumberOfThreadsAndImages) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const int64_t length : {79, 1100}) {  // one task a head, and several
      Problem p = make_problem({length, 64, 3, 1}, dtype);
      const Result alone = compute(p);
      for (const int more : {2, 3}) {
        at::set_num_threads(more);
        const Result result = compute(p);
        EXPECT_TRUE(at::equal(result.out, alone.out));
        EXPECT_TRUE(at::equal(result.d_qkv, alone.d_qkv));
      }
      at::set_num_threads(1);
      p.qkv = p.qkv.narrow(0, 1, 1);
      p.d_out = p.d_out.narrow(0, 1, 1);
      const Result second = compute(p);
      EXPECT_TRUE(at::equal(second.out[0], alone.out[1]));
      EXPECT_TRUE(at::equal(second.d_qkv[0], alone.d_qkv[1]));
    }
}

TEST_P(Kernels, SameBitsInLargeResults) {  // which go past the caches if their rows are whole vectors
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
    for (const int64_t dim : {64, 24}) {
      Problem p = make_problem({79, dim, 64 * 64 / dim, 8}, dtype);
      const Result all = compute(p);
      ASSERT_GT(all.out.nbytes(), 4 << 20);
      p.qkv = p.qkv.narrow(0, 5, 1);
      p.d_out = p.d_out.narrow(0, 5, 1);
      const Result one = compute(p);
      EXPECT_TRUE(at::equal(all.out[5], one.out[0])) << dtype << " dim " << dim;
      EXPECT_TRUE(at::equal(all.d_qkv[5], one.d_qkv[0])) << dtype << " dim " << dim;
    }
}

TEST_P(Kernels, ReadAnyStridesWithAContiguousLastDimension) {
  const Problem p = make_problem({20, 16});
  Problem strided = p;
  strided.qkv = p.qkv.permute({3, 2, 0, 1, 4}).contiguous().permute({2, 3, 1, 0, 4});
  strided.d_out = p.d_out.transpose(1, 3).contiguous().transpose(1, 3);
  EXPECT_TRUE(at::equal(compute(strided).out, compute(p).out));
  EXPECT_TRUE(at::equal(compute(strided).d_qkv, compute(p).d_qkv));
}

INSTANTIATE_TEST_SUITE_P(Isa, Kernels, ::testing::ValuesIn(kernel_isas()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(KernelIsas, AreChosenByName) {
  for (const auto& isa : kernel_isas()) EXPECT_EQ(choose_kernel_isa(isa.name).value.kernels, isa.value.kernels);
  EXPECT_EQ(choose_kernel_isa("").name, kernel_isas().back().name);
  expect_mentions(error_of([] { choose_kernel_isa("sse9"); }), {"UVIC_ISA", "sse9", "portable", "amx"});
  for (const auto& isa : all_kernel_isas())
    if (!isa.value.supported())
      expect_mentions(error_of([&] { choose_kernel_isa(isa.name); }), {"UVIC_ISA", "portable"});
}

// Adds up what LibTorch allocates.
class CountingAllocator : public c10::Allocator {
 public:
  CountingAllocator() : inner_(c10::GetAllocator(c10::kCPU)) { c10::SetAllocator(c10::kCPU, this); }
  ~CountingAllocator() override { c10::SetAllocator(c10::kCPU, inner_); }
  c10::DataPtr allocate(size_t bytes) override {
    total += static_cast<double>(bytes);
    return inner_->allocate(bytes);
  }
  void copy_data(void* to, const void* from, size_t bytes) const override { inner_->copy_data(to, from, bytes); }
  std::atomic<double> total = 0;

 private:
  c10::Allocator* inner_;
};

TEST(FusedAttention, MemoryGrowsAsTheLength) {
  const auto megabytes = [](int64_t length) {
    const Problem p = make_problem({length, 16, 1, 1});
    CountingAllocator counter;
    run(p, cog_attention, at::kFloat);
    return counter.total / 1e6;
  };
  const double half = megabytes(4096), whole = megabytes(8192);
  EXPECT_LT(half, 4096 * 4096 * 4 / 1e6 / 2);
  EXPECT_LT(whole, 2.1 * half);
}

}  // namespace
}  // namespace uvic::attention_kernels_test
