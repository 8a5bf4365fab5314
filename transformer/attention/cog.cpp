// Cog Attention composed of ATen operations inside one differentiable op, so that backward holds one L x L tensor only,
// and the choice of its kernel on GPUs.
//
// With S = softmax(|P|), A = sign(P) S and O = A V, the gradient needs no more than A, because S = |A|:
//   D_i = dO_i . O_i,   dA = dO V^T,   dP = S dA - A D   (0 where P = 0),
//   dV = A^T dO,   dQ = scale dP K,   dK = scale dP^T Q.
#include <fmt/ranges.h>
#include <torch/csrc/autograd/custom_function.h>

#include <mutex>

#include "core/progress.h"
#include "transformer/attention/composed.h"
#include "transformer/attention/kinds.h"
#include "transformer/kernels/attention_ops.h"
#include "transformer/kernels/cuda/arguments.h"

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

Tensor signed_weights(const Tensor& q, const Tensor& k, double scale, const Tensor& visible) {
  const Tensor scores = at::matmul(q, k.transpose(-2, -1)).mul_(scale);
  Tensor magnitude = scores.abs();
  if (visible.defined()) magnitude.masked_fill_(visible.logical_not(), -std::numeric_limits<double>::infinity());
  return at::softmax(magnitude, -1).mul_(scores.sgn());
}

class Cog : public torch::autograd::Function<Cog> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& qkv, const AttendOptions& options) {
    const Tensor q = unpack(qkv, 0), k = unpack(qkv, 1), v = unpack(qkv, 2);
    // CUDA's autocast gives the softmax in float32; the products of the backward pass need one dtype.
    const Tensor weights = signed_weights(q, k, options.scale, visible_keys(qkv, options)).to(v.scalar_type());
    const Tensor out = at::matmul(weights, v).transpose(1, 2).contiguous();
    context->save_for_backward({qkv, weights, out});
    context->saved_data["scale"] = options.scale;
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor &qkv = saved[0], &weights = saved[1], &out = saved[2];
    const Tensor q = unpack(qkv, 0), k = unpack(qkv, 1), v = unpack(qkv, 2);
    const Tensor d_out = grads[0].to(out.scalar_type()).transpose(1, 2);
    const Tensor row_dot = (d_out * out.transpose(1, 2)).sum(-1, /*keepdim=*/true);
    Tensor d_scores = at::matmul(d_out, v.transpose(-2, -1));
    d_scores.mul_(weights.abs()).sub_(weights * row_dot).mul_(context->saved_data["scale"].toDouble());
    const Tensor d_q = at::matmul(d_scores, k), d_k = at::matmul(d_scores.transpose(-2, -1), q);
    const Tensor d_v = at::matmul(weights.transpose(-2, -1), d_out);
    return {at::stack({d_q, d_k, d_v}, 2).permute({0, 3, 2, 1, 4}), {}};
  }
};

// Once, since a model's layers are alike.
void tell_of_reference(const Tensor& qkv) {
  static std::once_flag told;
  std::call_once(told, [&] {
    log_line(
        fmt::format("Cog Attention has no CUDA kernel for {} and heads of {} here: LibTorch's operations take its "
                    "place, slower and with L x L numbers in memory (kernels: float32 and bfloat16, heads of {}, "
                    "compute capability 8.0 or newer)",
                    c10::toString(qkv.scalar_type()), qkv.size(-1), fmt::join(kCogHeadDims, ", ")));
  });
}

}  // namespace

Tensor cog_reference(const Tensor& qkv, const AttendOptions& options) {
  return Cog::apply(qkv, options);
}

Tensor cog_on_gpu(const Tensor& qkv, const AttendOptions& options) {
  if (has_cuda_kernel(qkv)) return cog_attention_cuda(qkv, options);
  tell_of_reference(qkv);
  return cog_reference(qkv, options);
}

}  // namespace uvic
