#include "bench/attention_bench.h"

#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <atomic>
#include <cmath>

#include "bench/timing.h"
#include "core/random.h"
#include "transformer/attention.h"
#include "transformer/kernels/isa.h"

namespace uvic {
namespace {

// As one would write it with PyTorch's operations, and as CogAttn does.
Tensor eager(const AttentionKind& kind, const Tensor& q, const Tensor& k, const Tensor& v, double scale) {
  return at::matmul(kind.weights(at::matmul(q, k.transpose(-2, -1)) * scale), v);
}

// Of each query the keys around it; at the ends those nearest to it.
VisibleKeys window_keys(int64_t length, int64_t visible) {
  const Tensor first = (at::arange(length, at::kLong) - visible / 2).clamp(0, length - visible).unsqueeze(0);
  return {.first = first, .last = first + visible};
}

struct Candidate {
  std::string kind, impl;
  std::function<Tensor()> forward;
};

}  // namespace

std::vector<AttentionTiming> bench_attention(const AttentionShape& shape, at::ScalarType dtype, bool backward,
                                             int64_t visible, at::Device device, int64_t rounds) {
  const int64_t batch = shape.batch, heads = shape.heads, length = shape.length, dim = shape.head_dim;
  const double scale = 1 / std::sqrt(static_cast<double>(dim));
  at::Generator generator = make_generator(0, Stream::kNoise);
  const auto leaf = [&](const Tensor& x) { return x.to(device, dtype).contiguous().requires_grad_(backward); };
  const Tensor values = at::randn({batch, length, 3, heads, dim}, generator, at::kFloat);
  const Tensor qkv = leaf(values);
  // The others get what they like best: q, k, v apart and contiguous.
  const auto part = [&](int64_t i) { return leaf(values.select(2, i).transpose(1, 2)); };
  const Tensor q = part(0), k = part(1), v = part(2);

  std::vector<Candidate> candidates{
      {"softmax", "sdpa",
       [&] { return at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/false, scale); }}};
  for (const auto& entry : attention_kinds()) {
    const std::string name(entry.name);
    const AttentionKind& kind = entry.value;
    candidates.push_back({name, "fused", [&] { return fused_attention(kind, unpack(qkv), {.scale = scale}); }});
    if (visible > 0)
      candidates.push_back({name, "window", [&, window = window_keys(length, std::min(visible, length))] {
                              return fused_attention(kind, unpack(qkv), {.scale = scale, .keys = window});
                            }});
    candidates.push_back({name, "eager", [&] { return eager(kind, q, k, v, scale); }});
  }

  std::vector<std::function<void()>> functions;
  for (const Candidate& candidate : candidates) {
    functions.emplace_back([&, forward = candidate.forward] {
      const at::AutoGradMode mode(backward);
      const Tensor out = forward();
      if (backward) {
        for (const Tensor& x : {qkv, q, k, v}) x.mutable_grad().reset();
        out.backward(out.detach());
      }
      if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(qkv.get_device());
    });
  }
  const std::vector<Timing> timings = time_in_turn(functions, rounds);

  const auto min_of = [&](const std::string& kind, const std::string& impl) {
    for (size_t i = 0; i < candidates.size(); ++i)
      if (candidates[i].kind == kind && candidates[i].impl == impl) return timings[i].min;
    return 0.0;
  };
  const auto flop = [&](const std::string& impl) {
    const int64_t keys = impl == "window" ? std::min(visible, length) : length;
    return 4.0 * static_cast<double>(batch * heads * length * keys * dim) * (backward ? 3.5 : 1);
  };
  std::vector<AttentionTiming> rows;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const auto& [kind, impl, forward] = candidates[i];
    const Timing& timing = timings[i];
    rows.push_back({kind, impl, backward ? "fwd+bwd" : "fwd", dtype == at::kFloat ? "fp32" : "bf16", shape,
                    1e3 * timing.min, 1e3 * timing.median, flop(impl) / timing.min / 1e9,
                    timing.min / timings.front().min, timing.min / min_of(kind, "eager"),
                    timing.min / min_of(kind, "fused")});
  }
  return rows;
}

Peak measure_peak() {
  constexpr int64_t kIterations = 4'000'000;
  const auto& isa = default_kernel_isa();
  const int threads = at::get_num_threads();
  std::atomic<int64_t> flop = 0;
  const auto run = [&] {
    flop = 0;
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) flop += isa.value.kernels->fma_loop(kIterations);
    });
  };
  const Timing timing = time_in_turn({run}, 10).front();
  return {std::string(isa.name), threads, static_cast<double>(flop) / timing.min / 1e9};
}

}  // namespace uvic
