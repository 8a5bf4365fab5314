#include "transformer/kernels/block_ops.h"

#include <torch/csrc/autograd/custom_function.h>

#include "core/autocast.h"
#include "transformer/kernels/products.h"
#include "transformer/kernels/rows.h"

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

at::ScalarType product_dtype() {
  return Autocast::current(at::kCPU);
}

Tensor matrix(const Tensor& x) {
  return x.reshape({-1, x.size(-1)}).contiguous();
}

// The rows of `x` in the shape that they had in `like`.
Tensor shaped(const Tensor& x, const Tensor& like) {
  std::vector<int64_t> shape = like.sizes().vec();
  shape.back() = x.size(1);
  return x.view(shape);
}

// Of y = x weight^T, float32. oneDNN takes twice as long for a bfloat16 product whose left factor is not contiguous, so
// the narrower one is transposed here.
Tensor weight_gradient(const Tensor& dy, const Tensor& x) {
  if (dy.scalar_type() == at::kFloat) return product(dy.t(), x);
  if (dy.size(1) <= x.size(1)) return at::mm(transpose_rows(dy), x).to(at::kFloat);
  return transpose_rows(at::mm(transpose_rows(x), dy)).to(at::kFloat);
}

class JoinSkip : public torch::autograd::Function<JoinSkip> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& skip, const Tensor& weight,
                        const Tensor& bias) {
    const at::ScalarType dtype = product_dtype();
    const Tensor joined = join_rows(matrix(x), matrix(skip), dtype), w = weight.to(dtype);
    context->save_for_backward({joined, w});
    return shaped(product(joined, w.t(), bias.to(dtype)).to(at::kFloat), x);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor &joined = saved[0], &w = saved[1];
    const Cast dy = cast_rows(matrix(grads[0]), w.scalar_type());
    const Tensor d_joined = shaped(product(dy.value, w).to(at::kFloat), grads[0]);
    const auto halves = d_joined.chunk(2, -1);
    return {halves[0], halves[1], weight_gradient(dy.value, joined), dy.sum};
  }
};

class NormLinear : public torch::autograd::Function<NormLinear> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                        const Tensor& weight, const std::optional<Tensor>& bias) {
    const at::ScalarType dtype = product_dtype();
    const Normalized n = norm_rows(matrix(x), gamma, beta, dtype);
    const Tensor w = weight.to(dtype);
    context->save_for_backward({n.z, n.y, n.statistics, gamma, w});
    context->saved_data["bias"] = bias.has_value();
    return shaped(product(n.y, w.t(), bias ? bias->to(dtype) : Tensor()), x);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Normalized n{saved[0], saved[1], saved[2]};
    const Tensor &gamma = saved[3], &w = saved[4], dy = matrix(grads[0]);
    const NormGradient d = norm_rows_backward(product(dy, w), n, gamma, {});
    const bool bias = context->saved_data["bias"].toBool();
    return {shaped(d.dz, grads[0]), d.d_gamma, d.d_beta, weight_gradient(dy, n.y),
            bias ? dy.sum(0, /*keepdim=*/false, at::kFloat) : Tensor()};
  }
};

class ProjectAndMlp : public torch::autograd::Function<ProjectAndMlp> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& mixed, const Tensor& proj_weight,
                        const Tensor& proj_bias, const Tensor& gamma, const Tensor& beta, const Tensor& fc1_weight,
                        const Tensor& fc1_bias, const Tensor& fc2_weight, const Tensor& fc2_bias) {
    const at::ScalarType dtype = product_dtype();
    const Tensor branch = matrix(mixed).to(dtype);
    const Tensor w = proj_weight.to(dtype), w1 = fc1_weight.to(dtype), w2 = fc2_weight.to(dtype);
    const Normalized n = add_norm_rows(matrix(x), product(branch, w.t()), proj_bias, gamma, beta);
    const Tensor hidden = product(n.y, w1.t()), activated = gelu_rows(hidden, fc1_bias);
    context->save_for_backward({branch, n.z, n.y, n.statistics, gamma, hidden, fc1_bias, activated, w, w1, w2});
    return shaped(add_rows(n.z, product(activated, w2.t()), fc2_bias), x);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Normalized n{saved[1], saved[2], saved[3]};
    const Tensor &branch = saved[0], &gamma = saved[4], &hidden = saved[5], &fc1_bias = saved[6], &activated = saved[7];
    const Tensor &w = saved[8], &w1 = saved[9], &w2 = saved[10];
    const Tensor d_out = matrix(grads[0]);

    const Cast dy = cast_rows(d_out, w.scalar_type());
    const Tensor d_hidden = product(dy.value, w2);  // of the activated ones first
    const Tensor d_bias1 = gelu_rows_backward(hidden, fc1_bias, d_hidden);
    const NormGradient d = norm_rows_backward(product(d_hidden, w1), n, gamma, d_out);
    return {shaped(d.dz, grads[0]),
            shaped(product(d.dz_cast, w), grads[0]),
            weight_gradient(d.dz_cast, branch),
            d.dz_sum,
            d.d_gamma,
            d.d_beta,
            weight_gradient(d_hidden, n.y),
            d_bias1,
            weight_gradient(dy.value, activated),
            dy.sum};
  }
};

void expect_kernel_epsilon(const LayerNorm& norm) {
  TORCH_CHECK(norm.epsilon == 1e-5, "the kernels of a layer norm have the epsilon 1e-5, not ", norm.epsilon);
}

}  // namespace

Tensor join_skip(const Tensor& x, const Tensor& skip, const Linear& linear) {
  return JoinSkip::apply(x, skip, linear.weight, linear.bias);
}

Tensor norm_linear(const Tensor& x, const LayerNorm& norm, const Linear& linear) {
  expect_kernel_epsilon(norm);
  const auto bias = linear.bias.defined() ? std::optional<Tensor>(linear.bias) : std::nullopt;
  return NormLinear::apply(x, norm.weight, norm.bias, linear.weight, bias);
}

Tensor project_and_mlp(const Tensor& x, const Tensor& mixed, const Linear& proj, const LayerNorm& norm,
                       const Linear& fc1, const Linear& fc2) {
  expect_kernel_epsilon(norm);
  return ProjectAndMlp::apply(x, mixed, proj.weight, proj.bias, norm.weight, norm.bias, fc1.weight, fc1.bias,
                              fc2.weight, fc2.bias);
}

}  // namespace uvic
