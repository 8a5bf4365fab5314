// The kernels for GPUs, run by the emulation on the CPU and on a GPU if there is one, against the definition in
// float64.
#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "tests/transformer/attention_definition.h"
#include "tests/transformer/attention_problem.h"
#include "transformer/kernels/cuda/cog_op.h"
#include "transformer/kernels/cuda/kernels.h"

namespace uvic::cog_kernels_test {
namespace {

template <gpu::Order order>
void emulate(CogPass pass, const CogArguments& arguments) {
  gpu::with_kernel(pass, arguments, [&](auto kernel) {
    using Kernel = decltype(kernel);
    gpu::run_grid(Kernel::blocks(arguments), Kernel::kSharedBytes, order, [&] { Kernel::run(arguments); });
  });
}

template <gpu::Order order>
Tensor emulated(const Qkv& qkv, const AttendOptions& options) {
  return cog_attention_on(emulate<order>, qkv, options);
}

Tensor on_gpu(const Qkv& qkv, const AttendOptions& options) {
  const Qkv there = qkv.packed.defined() ? unpack(qkv.packed.cuda()) : Qkv{qkv.q.cuda(), qkv.k.cuda(), qkv.v.cuda()};
  if (!has_cuda_kernel(there)) throw std::logic_error("the reference would run in place of the kernel");
  return cog_attention_cuda(there, options).cpu();
}

bool has_gpu() {
  return at::globalContext().hasCUDA() &&
         has_cuda_kernel(unpack(at::empty({1, 1, 3, 1, kCogHeadDims[0]}, at::TensorOptions(at::kCUDA))));
}

struct Machine {
  const char* name;
  Attend attend, again;  // warps and lanes run in another order: of our choice, or the GPU's
  bool exists() const { return attend != on_gpu || has_gpu(); }
};

constexpr Machine kMachines[] = {
    {"Emulated", emulated<gpu::Order::kAscending>, emulated<gpu::Order::kDescending>},
    {"OnGpu", on_gpu, on_gpu},
};

struct Type {
  at::ScalarType dtype;
  double out_tolerance, gradient_tolerance;
};

// As for the CPU's kernels.
constexpr Type kTypes[] = {{at::kFloat, 2e-6, 1e-5}, {at::kBFloat16, 1.6e-2, 6.3e-2}};

class CogKernels : public ::testing::TestWithParam<std::tuple<Machine, Type>> {
 protected:
  void SetUp() override {
    if (!machine_.exists()) GTEST_SKIP() << "needs a GPU of compute capability 8.0 or newer, and a build with CUDA";
  }

  Problem problem(const Shape& shape) const { return make_problem(shape, type_.dtype); }
  Result compute(const Problem& p) const { return run(p, machine_.attend, type_.dtype); }

  // Near the definition, and the same bits again.
  void expect_right(const Problem& p, const std::string& what) const {
    const Result got = compute(p), again = run(p, machine_.again, type_.dtype);
    const Result want = run(p, cog_by_definition, at::kDouble);
    EXPECT_LE(distance(got.out, want.out), type_.out_tolerance) << what;
    for (const int64_t part : {0, 1, 2})
      EXPECT_LE(distance(got.d_qkv.select(2, part), want.d_qkv.select(2, part)), type_.gradient_tolerance)
          << what << ", part " << part;
    EXPECT_TRUE(at::equal(got.out, again.out)) << what;
    EXPECT_TRUE(at::equal(got.d_qkv, again.d_qkv)) << what;
  }

  const Machine machine_ = std::get<0>(GetParam());
  const Type type_ = std::get<1>(GetParam());
};

// The first lengths[b] keys, causal or not.
VisibleKeys keys_of(const std::vector<int64_t>& lengths, bool causal, int64_t length) {
  VisibleKeys keys = first_keys(at::tensor(lengths, at::kLong), length);
  if (causal) keys.last = at::minimum(keys.last, causal_keys(length, length).last);
  return keys;
}

TEST_P(CogKernels, EqualTheDefinition) {
  for (const int64_t dim : kCogHeadDims)
    for (const int64_t length : {1, 5, 16, 17, 64, 70, 130})
      for (const bool causal : {false, true}) {
        Problem p = problem({length, dim, length < 100 ? 2 : 1, length < 20 ? 2 : 1});
        if (causal) p.options.keys = causal_keys(length, length);
        expect_right(p, fmt::format("length {}, dim {}{}", length, dim, causal ? ", causal" : ""));
      }
}

TEST_P(CogKernels, EqualTheDefinitionUnderEveryMask) {
  for (const int64_t queries : {3, 150}) {
    Problem p = problem({.length = 150, .dim = 32, .heads = 1, .queries = queries});
    for (const auto& [name, keys] : all_masks(queries, 150)) {
      p.options.keys = keys;
      expect_right(p, fmt::format("{} queries, {}", queries, name));
    }
  }
}

TEST_P(CogKernels, SkipKeysBehindTheirNumber) {
  for (const int64_t dim : kCogHeadDims)
    for (const bool causal : {false, true}) {
      Problem p = problem({70, dim, 4, 1});
      p.options.keys = keys_of({70, 65, 64, 3}, causal, 70);
      expect_right(p, fmt::format("dim {}{}", dim, causal ? ", causal" : ""));
    }
}

// What stands behind the number of keys was never computed, so it may be anything.
TEST_P(CogKernels, TakeNoNumberFromSkippedKeys) {
  for (const bool causal : {false, true}) {
    Problem p = problem({70, 80, 2, 1});
    p.options.keys = keys_of({40, 64}, causal, 70);
    const Result want = compute(p);
    for (const int64_t image : {0, 1}) {
      const int64_t keys = image == 0 ? 40 : 64;
      p.qkv[image].narrow(0, keys, 70 - keys).narrow(1, 1, 2).fill_(std::numeric_limits<float>::quiet_NaN());
    }
    const Result got = compute(p);
    EXPECT_TRUE(at::equal(got.out, want.out)) << causal;
    EXPECT_TRUE(at::equal(got.d_qkv, want.d_qkv)) << causal;
  }
}

TEST_P(CogKernels, GiveZerosToAnImageWithoutKeys) {
  Problem p = problem({70, 32, 3, 1});
  p.options.keys = keys_of({0, -1, 1000}, false, 70);  // lengths are clamped
  const Result result = compute(p);
  EXPECT_EQ(result.out.narrow(0, 0, 2).abs().max().item<double>(), 0);
  EXPECT_EQ(result.d_qkv.narrow(0, 0, 2).abs().max().item<double>(), 0);
  p.options.keys = {};
  const Result all = compute(p);
  EXPECT_TRUE(at::equal(result.out[2], all.out[2]));
  EXPECT_TRUE(at::equal(result.d_qkv[2], all.d_qkv[2]));
}

TEST_P(CogKernels, GiveZeroScoresNeitherWeightNorGradient) {
  Problem p = problem({70, 64, 1, 1});
  p.qkv.select(2, 0).narrow(1, 3, 2).fill_(0);  // queries
  p.qkv.select(2, 0).narrow(1, 5, 2).fill_(-0.0);
  p.qkv.select(2, 1).narrow(1, 9, 1).fill_(0);  // a key
  p.qkv.select(2, 1).narrow(1, 11, 1).fill_(-0.0);
  expect_right(p, "zeros");
  const Result result = compute(p);
  EXPECT_EQ(result.out.narrow(1, 3, 4).abs().max().item<double>(), 0);
  EXPECT_EQ(result.d_qkv.select(2, 1).select(1, 9).abs().max().item<double>(), 0);
}

TEST_P(CogKernels, StayFiniteForLargeScores) {
  Problem p = problem({40, 32, 1, 1});
  p.qkv.narrow(2, 0, 2).mul_(100);
  const Result result = compute(p);
  EXPECT_TRUE(at::isfinite(result.out).all().item<bool>());
  EXPECT_TRUE(at::isfinite(result.d_qkv).all().item<bool>());
}

TEST_P(CogKernels, ReadAnyStrides) {
  const Problem p = problem({20, 32});
  const Result want = compute(p);
  const auto expect_same = [&](const Tensor& qkv, const std::string& what) {
    EXPECT_TRUE(at::equal(machine_.attend(unpack(qkv), p.options), want.out)) << what;
  };
  expect_same(p.qkv.permute({3, 2, 0, 1, 4}).contiguous().permute({2, 3, 1, 0, 4}), "heads first");
  expect_same(at::cat({p.qkv, p.qkv}, 1).narrow(1, 0, 20), "part of a longer sequence");
  expect_same(at::constant_pad_nd(p.qkv, {1, 0}).narrow(-1, 1, 32), "rows off multiples of 16 bytes");
  expect_same(p.qkv.transpose(3, 4).contiguous().transpose(3, 4), "last dimension not contiguous");
  Problem strided = p;
  strided.d_out = p.d_out.transpose(1, 3).contiguous().transpose(1, 3);
  EXPECT_TRUE(at::equal(compute(strided).d_qkv, want.d_qkv));
}

TEST_P(CogKernels, TakeManyTokens) {
  if (machine_.attend != on_gpu) GTEST_SKIP() << "takes the emulation too long";
  for (const int64_t length : {257, 1000}) {
    Problem p = problem({length, 64});
    expect_right(p, fmt::format("length {}", length));
    p.options.keys = causal_keys(length, length);
    expect_right(p, fmt::format("length {}, causal", length));
  }
}

TEST_P(CogKernels, TakeNothing) {
  const Result result = compute(problem({0, 32}));
  EXPECT_EQ(result.out.sizes(), at::IntArrayRef({2, 0, 2, 32}));
  EXPECT_EQ(result.d_qkv.numel(), 0);
}

INSTANTIATE_TEST_SUITE_P(All, CogKernels,
                         ::testing::Combine(::testing::ValuesIn(kMachines), ::testing::ValuesIn(kTypes)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) +
                                  c10::toString(std::get<1>(info.param).dtype);
                         });

TEST(CogKernelChoice, IsByTypeAndHeadDimension) {
  const auto qkv = [](int64_t dim, at::ScalarType dtype) { return unpack(at::empty({1, 1, 3, 1, dim}, dtype)); };
  for (const int64_t dim : kCogHeadDims) EXPECT_TRUE(has_cog_kernel(qkv(dim, at::kBFloat16)));
  EXPECT_FALSE(has_cog_kernel(qkv(72, at::kFloat)));
  EXPECT_FALSE(has_cog_kernel(qkv(64, at::kHalf)));
  EXPECT_FALSE(has_cog_kernel(qkv(64, at::kDouble)));
}

TEST(CogKernelChoice, FitsTheSharedMemoryOfEveryGpu) {
  CogArguments arguments{};
  for (const Element element : {Element::kFloat32, Element::kBfloat16})
    for (const int dim : kCogHeadDims)
      for (const CogPass pass :
           {CogPass::kForward, CogPass::kRowDots, CogPass::kQueryGradient, CogPass::kKeyGradient}) {
        arguments.element = element, arguments.head_dim = dim;
        int bytes = -1;
        gpu::with_kernel(pass, arguments, [&](auto kernel) { bytes = decltype(kernel)::kSharedBytes; });
        EXPECT_GE(bytes, 0) << dim;
        EXPECT_LE(bytes, 99 << 10) << dim;  // of compute capability 8.6 and 8.9; 8.0 and 9.0 have more
      }
}

// What the emulation is for: each of these passes unnoticed on a GPU, now and then.
void emulate_block(gpu::Order order, const std::function<void()>& kernel) {
  gpu::run_grid(1, 4 * gpu::kThreads, order, kernel);
}

template <class Function>
std::string logic_error_of(const Function& function) {
  try {
    function();
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

TEST(Emulation, AMissingSyncChangesResults) {
  for (const bool synced : {true, false}) {
    float sums[2] = {};
    for (const gpu::Order order : {gpu::Order::kAscending, gpu::Order::kDescending})
      emulate_block(order, [&] {
        float* const shared = reinterpret_cast<float*>(gpu::shared_memory());
        const int index = gpu::thread_index();
        shared[index] = static_cast<float>(index);
        if (synced) gpu::sync_block();
        const float others = shared[(index + 64) % gpu::kThreads];
        if (index == 5) sums[static_cast<int>(order)] = others;
      });
    EXPECT_EQ(sums[0] == 69 && sums[1] == 69, synced);
  }
}

TEST(Emulation, NamesWhatWouldHangOrStop) {
  const auto error_of_block = [](const std::function<void()>& kernel) {
    return logic_error_of([&] { emulate_block(gpu::Order::kAscending, kernel); });
  };
  EXPECT_EQ(error_of_block([] { gpu::sync_block(); }), "");
  EXPECT_NE(error_of_block([] {
              if (gpu::thread_index() != 3) gpu::sync_block();
            }),
            "");
  EXPECT_NE(error_of_block([] { gpu::lane_index() == 3 ? gpu::sync_warp() : (void)gpu::shuffle_xor(1, 1); }), "");
  EXPECT_NE(error_of_block([] { gpu::copy_async(gpu::shared_memory(), nullptr, false); }), "");
  EXPECT_NE(error_of_block([] {
              gpu::copy_async(gpu::shared_memory() + 8, gpu::shared_memory(), true);
              gpu::wait_copies();
            }),
            "");
  EXPECT_NE(error_of_block([] {
              uint32_t to[4];
              gpu::load_matrices(to, gpu::shared_memory() + 2);
            }),
            "");
  EXPECT_EQ(error_of_block([] { gpu::sync_warp(); }), "");
}

}  // namespace
}  // namespace uvic::cog_kernels_test
