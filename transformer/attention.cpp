#include "transformer/attention.h"

#include "transformer/attention/kinds.h"
#include "transformer/kernels/attention_ops.h"

namespace uvic {
namespace {

constexpr Entry<AttentionKind> kKinds[] = {
    {"softmax",
     {.network = "U-ViT",
      .reference = softmax_reference,
      .gpu = softmax_reference,
      .weighting = "softmax",
      .weights = [](const Tensor& p) { return at::softmax(p, -1); }},
     "softmax(p) v, non-negative weights (U-ViT)"},
    {"cog",
     {.network = "U-ViC",
      .reference = cog_reference,
      .gpu = cog_on_gpu,
      .weighting = "cog",
      .weights = [](const Tensor& p) { return at::sign(p) * at::softmax(at::abs(p), -1); }},
     "sign(p) softmax(|p|) v, weights of both signs (U-ViC)"},
};

}  // namespace

std::span<const Entry<AttentionKind>> attention_kinds() {
  return kKinds;
}

Qkv unpack(const Tensor& packed) {
  const std::vector<Tensor> parts = packed.unbind(2);
  return {parts[0], parts[1], parts[2], packed};
}

AttendOptions checked(const Qkv& qkv, const AttendOptions& options) {
  return {options.scale, checked(options.keys, qkv.q.size(0), qkv.q.size(1), qkv.k.size(1), qkv.q.device())};
}

Tensor fused_attention(const AttentionKind& kind, const Qkv& qkv, const AttendOptions& options) {
  if (!qkv.q.is_cpu()) return kind.gpu(qkv, options);
  const bool has_kernel = qkv.q.scalar_type() == at::kFloat || qkv.q.scalar_type() == at::kBFloat16;
  if (!has_kernel) return kind.reference(qkv, options);
  return attention_cpu(qkv, options, kind.weighting, *default_kernel_isa().value.kernels);
}

}  // namespace uvic
