// Cog Attention composed of ATen operations inside one differentiable op, so that backward holds one L x L tensor only.
//
// With S = softmax(|P|), A = sign(P) S and O = A V, the gradient needs no more than A, because S = |A|:
//   D_i = dO_i . O_i,   dA = dO V^T,   dP = S dA - A D   (0 where P = 0),
//   dV = A^T dO,   dQ = scale dP K,   dK = scale dP^T Q.
#include <torch/csrc/autograd/custom_function.h>

#include "unet_vit/attention.h"

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

Tensor signed_weights(const Tensor& q, const Tensor& k, double scale, bool causal) {
  const Tensor scores = at::matmul(q, k.transpose(-2, -1)).mul_(scale);
  Tensor magnitude = scores.abs();
  if (causal) {
    const int64_t length = scores.size(-1);
    const Tensor hidden = at::ones({length, length}, scores.options().dtype(at::kBool)).triu_(1);
    magnitude.masked_fill_(hidden, -std::numeric_limits<double>::infinity());
  }
  return at::softmax(magnitude, -1).mul_(scores.sgn());
}

class Cog : public torch::autograd::Function<Cog> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& q, const Tensor& k, const Tensor& v, double scale,
                        bool causal) {
    // CUDA's autocast gives the softmax in float32; the products of the backward pass need one dtype.
    const Tensor weights = signed_weights(q, k, scale, causal).to(v.scalar_type());
    const Tensor out = at::matmul(weights, v);
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
    return {at::matmul(d_scores, k), at::matmul(d_scores.transpose(-2, -1), q),
            at::matmul(weights.transpose(-2, -1), d_out), {}, {}};
  }
};

}  // namespace

Tensor cog_attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttendOptions& options) {
  return Cog::apply(q, k, v, options.scale, options.causal);
}

}  // namespace uvic
