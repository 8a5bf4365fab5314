#include "transformer/kernels/cuda/cog_op.h"

#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// The kernels copy 16 bytes at once.
Tensor with_aligned_rows(const Tensor& x) {
  if (!x.defined()) return x;
  const auto aligned = [&](int64_t elements) { return elements * x.element_size() % 16 == 0; };
  bool all = reinterpret_cast<uintptr_t>(x.const_data_ptr()) % 16 == 0;
  for (int64_t dim = 0; dim + 1 < x.dim(); ++dim) all = all && aligned(x.stride(dim));
  return all ? x : x.clone(at::MemoryFormat::Contiguous);
}

template <class Void>
CogTensor<Void> rows_of(const Tensor& x) {
  return {x.data_ptr(), x.stride(0), x.stride(1), x.stride(2)};
}

CogArguments arguments_of(const Qkv& in, const AttendOptions& options, const Tensor& out, const Tensor& statistics) {
  const VisibleKeys& keys = options.keys;
  const auto ends = [](const Tensor& x) { return x.defined() ? x.const_data_ptr<int32_t>() : nullptr; };
  return {.element = in.q.scalar_type() == at::kBFloat16 ? Element::kBfloat16 : Element::kFloat32,
          .queries = static_cast<int>(in.q.size(1)),
          .keys = static_cast<int>(in.k.size(1)),
          .heads = static_cast<int>(in.q.size(2)),
          .head_dim = static_cast<int>(in.q.size(3)),
          .batch = static_cast<int>(in.q.size(0)),
          .scale = static_cast<float>(options.scale),
          .prefix = static_cast<int>(keys.prefix),
          .first = ends(keys.first),
          .last = ends(keys.last),
          .by_image = keys.first.defined() && keys.first.size(0) > 1,
          .q = rows_of<const void>(in.q),
          .k = rows_of<const void>(in.k),
          .v = rows_of<const void>(in.v),
          .out = out.data_ptr(),
          .statistics = statistics.data_ptr<float>(),
          .d_out = nullptr,
          .row_dots = nullptr,
          .d_q = {},
          .d_k = {},
          .d_v = {}};
}

class CogOp : public torch::autograd::Function<CogOp> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const std::optional<Tensor>& k,
                        const std::optional<Tensor>& v, const AttendOptions& options, CogLaunch launch) {
    const c10::DeviceGuard guard(x.device());
    const AttentionInputs inputs(x, k.value_or(Tensor()), v.value_or(Tensor()));
    const Qkv in = inputs.parts();
    const Tensor out = at::empty(in.q.sizes(), in.q.options());
    const Tensor statistics =
        at::empty({in.q.size(0), in.q.size(2), 2, in.q.size(1)}, in.q.options().dtype(at::kFloat));
    if (out.numel() > 0) launch(CogPass::kForward, arguments_of(in, options, out, statistics));
    context->save_for_backward({inputs.x, inputs.k, inputs.v, options.keys.first, options.keys.last, out, statistics});
    context->saved_data["scale"] = options.scale;
    context->saved_data["prefix"] = options.keys.prefix;
    context->saved_data["launch"] = reinterpret_cast<int64_t>(launch);
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const AttentionInputs inputs(saved[0], saved[1], saved[2]), gradients = inputs.empty_like();
    const Tensor &out = saved[5], &statistics = saved[6];
    const c10::DeviceGuard guard(out.device());
    const AttendOptions options{
        .scale = context->saved_data["scale"].toDouble(),
        .keys = {.prefix = context->saved_data["prefix"].toInt(), .first = saved[3], .last = saved[4]}};
    const auto launch = reinterpret_cast<CogLaunch>(context->saved_data["launch"].toInt());
    const Qkv in = inputs.parts(), d_in = gradients.parts();
    Tensor d_out = grads[0].to(out.scalar_type()).contiguous();
    if (reinterpret_cast<uintptr_t>(d_out.const_data_ptr()) % 16 != 0) d_out = d_out.clone();
    const Tensor row_dots = at::empty({in.q.size(0), in.q.size(2), in.q.size(1)}, statistics.options());
    CogArguments arguments = arguments_of(in, options, out, statistics);
    arguments.d_out = d_out.const_data_ptr();
    arguments.row_dots = row_dots.data_ptr<float>();
    arguments.d_q = rows_of<void>(d_in.q), arguments.d_k = rows_of<void>(d_in.k), arguments.d_v = rows_of<void>(d_in.v);
    if (out.numel() > 0)
      for (const CogPass pass : {CogPass::kRowDots, CogPass::kQueryGradient}) launch(pass, arguments);
    if (in.k.numel() > 0) launch(CogPass::kKeyGradient, arguments);
    return {gradients.x, gradients.k, gradients.v, {}, {}};
  }
};

}  // namespace

bool has_cog_kernel(const Qkv& qkv) {
  return (qkv.q.scalar_type() == at::kFloat || qkv.q.scalar_type() == at::kBFloat16) &&
         std::ranges::find(kCogHeadDims, qkv.q.size(-1)) != std::end(kCogHeadDims);
}

Tensor cog_attention_on(CogLaunch launch, const Qkv& qkv, const AttendOptions& options) {
  const AttentionInputs inputs(qkv, options);
  return CogOp::apply(with_aligned_rows(inputs.x), std::optional(with_aligned_rows(inputs.k)),
                      std::optional(with_aligned_rows(inputs.v)), checked(qkv, options), launch);
}

}  // namespace uvic
