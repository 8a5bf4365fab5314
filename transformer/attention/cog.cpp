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
  if (!visible.defined()) return at::softmax(scores.abs(), -1).mul_(scores.sgn());
  const Tensor hidden = visible.logical_not();
  Tensor shares = at::softmax(scores.abs().masked_fill_(hidden, -std::numeric_limits<double>::infinity()), -1);
  return shares.mul_(scores.sgn()).masked_fill_(hidden, 0);  // NaN where no key is seen
}

class Cog : public torch::autograd::Function<Cog> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                        const std::optional<Tensor>& visible) {
    // CUDA's autocast gives the softmax in float32; the products of the backward pass need one dtype.
    const Tensor weights = signed_weights(q, k, scale, visible.value_or(Tensor())).to(v.scalar_type()),
                 out = at::matmul(weights, v);
    context->save_for_backward({q, k, v, weights, out});
    context->saved_data["scale"] = scale;
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &weights = saved[3], &out = saved[4];
    const Tensor d_out = grads[0].to(out.scalar_type());
    const Tensor row_dot = (d_out * out).sum(-1, /*keepdim=*/true);
    Tensor d_scores = at::matmul(d_out, v.transpose(-2, -1));
    d_scores.mul_(weights.abs()).sub_(weights * row_dot).mul_(context->saved_data["scale"].toDouble());
    return {at::matmul(d_scores, k),
            at::matmul(d_scores.transpose(-2, -1), q),
            at::matmul(weights.transpose(-2, -1), d_out),
            {},
            {}};
  }
};

// Once, since a model's layers are alike.
void tell_of_reference(const Tensor& q) {
  static std::once_flag told;
  std::call_once(told, [&] {
    log_line(
        fmt::format("Cog Attention has no CUDA kernel for {} and heads of {} here: LibTorch's operations take its "
                    "place, slower and with L x L numbers in memory (kernels: float32 and bfloat16, heads of {}, "
                    "compute capability 8.0 or newer)",
                    c10::toString(q.scalar_type()), q.size(-1), fmt::join(kCogHeadDims, ", ")));
  });
}

}  // namespace

Tensor cog_reference(const Qkv& qkv, const AttendOptions& options) {
  const Tensor out = Cog::apply(heads_first(qkv.q), heads_first(qkv.k), heads_first(qkv.v), options.scale,
                                std::optional(visible_mask(qkv, options)));
  return heads_first(out).contiguous();
}

Tensor cog_on_gpu(const Qkv& qkv, const AttendOptions& options) {
  if (has_cuda_kernel(qkv)) return cog_attention_cuda(qkv, options);
  tell_of_reference(qkv.q);
  return cog_reference(qkv, options);
}

}  // namespace uvic
