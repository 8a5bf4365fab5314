#include "transformer/kernels/cuda/cog_op.h"

#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// The kernels copy 16 bytes at once.
bool has_aligned_rows(const Tensor& qkv) {
  const auto aligned = [&](int64_t elements) { return elements * qkv.element_size() % 16 == 0; };
  bool all = qkv.stride(4) == 1 && reinterpret_cast<uintptr_t>(qkv.const_data_ptr()) % 16 == 0;
  for (int64_t dim = 0; dim < 4; ++dim) all = all && aligned(qkv.stride(dim));
  return all;
}

CogArguments arguments_of(const Tensor& qkv, const AttendOptions& options, const Tensor& out,
                          const Tensor& statistics) {
  return {.element = qkv.scalar_type() == at::kBFloat16 ? Element::kBfloat16 : Element::kFloat32,
          .length = static_cast<int>(qkv.size(1)),
          .heads = static_cast<int>(qkv.size(3)),
          .head_dim = static_cast<int>(qkv.size(4)),
          .batch = static_cast<int>(qkv.size(0)),
          .scale = static_cast<float>(options.scale),
          .causal = options.keys.causal,
          .key_lengths = options.keys.lengths.defined() ? options.keys.lengths.const_data_ptr<int64_t>() : nullptr,
          .qkv = qkv.const_data_ptr(),
          .strides = {qkv.stride(0), qkv.stride(1), qkv.stride(2), qkv.stride(3)},
          .out = out.data_ptr(),
          .statistics = statistics.data_ptr<float>(),
          .d_out = nullptr,
          .row_dots = nullptr,
          .d_qkv = nullptr};
}

class CogOp : public torch::autograd::Function<CogOp> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& qkv, const AttendOptions& options, CogLaunch launch) {
    const c10::DeviceGuard guard(qkv.device());
    const int64_t batch = qkv.size(0), length = qkv.size(1), heads = qkv.size(3);
    const Tensor out = at::empty({batch, length, heads, qkv.size(4)}, qkv.options());
    const Tensor statistics = at::empty({batch, heads, 2, length}, qkv.options().dtype(at::kFloat));
    if (qkv.numel() > 0) launch(CogPass::kForward, arguments_of(qkv, options, out, statistics));
    context->save_for_backward({qkv, options.keys.lengths, out, statistics});
    context->saved_data["scale"] = options.scale;
    context->saved_data["causal"] = options.keys.causal;
    context->saved_data["launch"] = reinterpret_cast<int64_t>(launch);
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor &qkv = saved[0], &out = saved[2], &statistics = saved[3];
    const c10::DeviceGuard guard(qkv.device());
    const AttendOptions options{.scale = context->saved_data["scale"].toDouble(),
                                .keys = {.causal = context->saved_data["causal"].toBool(), .lengths = saved[1]}};
    const auto launch = reinterpret_cast<CogLaunch>(context->saved_data["launch"].toInt());
    Tensor d_out = grads[0].to(out.scalar_type()).contiguous();
    if (reinterpret_cast<uintptr_t>(d_out.const_data_ptr()) % 16 != 0) d_out = d_out.clone();
    const Tensor row_dots = at::empty({qkv.size(0), qkv.size(3), qkv.size(1)}, statistics.options());
    const Tensor d_qkv = at::empty(qkv.sizes(), qkv.options());
    CogArguments arguments = arguments_of(qkv, options, out, statistics);
    arguments.d_out = d_out.const_data_ptr();
    arguments.row_dots = row_dots.data_ptr<float>();
    arguments.d_qkv = d_qkv.data_ptr();
    if (qkv.numel() > 0)
      for (const CogPass pass : {CogPass::kRowDots, CogPass::kQueryGradient, CogPass::kKeyGradient})
        launch(pass, arguments);
    return {d_qkv, {}, {}};
  }
};

}  // namespace

bool has_cog_kernel(const Tensor& qkv) {
  return (qkv.scalar_type() == at::kFloat || qkv.scalar_type() == at::kBFloat16) &&
         std::ranges::find(kCogHeadDims, qkv.size(-1)) != std::end(kCogHeadDims);
}

Tensor cog_attention_on(CogLaunch launch, const Tensor& qkv, const AttendOptions& options) {
  const AttendOptions checked = checked_options(qkv, options);
  return CogOp::apply(has_aligned_rows(qkv) ? qkv : qkv.clone(at::MemoryFormat::Contiguous), checked, launch);
}

}  // namespace uvic
