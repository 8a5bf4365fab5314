#include "transformer/kernels/decoder_ops.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/autocast.h"
#include "transformer/kernels/isa.h"
#include "transformer/kernels/products.h"

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

const DecoderKernels& decoder_kernels() {
  return default_kernel_isa().value.kernels->decoder;
}

bool is_cpu_float(const Tensor& x) {
  return x.is_cpu() && x.scalar_type() == at::kFloat;
}

// Without them an operation need not become a node of the graph, which takes longer than it does for one row.
bool needs_gradient(const Tensor& a, const Tensor& b) {
  return at::GradMode::is_enabled() && (a.requires_grad() || b.requires_grad());
}

const float* data(const Tensor& x) {
  return x.const_data_ptr<float>();
}

// f(first, last) of rows of a matrix so wide; pieces do not depend on the number of threads.
constexpr int64_t kDecoderPiece = 128;
int64_t decoder_pieces(int64_t rows) {
  return (rows + kDecoderPiece - 1) / kDecoderPiece;
}
template <class F>
void for_row_pieces(int64_t rows, const F& f) {
  at::parallel_for(0, decoder_pieces(rows), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) f(i * kDecoderPiece, std::min(rows, (i + 1) * kDecoderPiece));
  });
}

// A thread takes no less than this many numbers of B.
constexpr int64_t kFewestNumbers = 1 << 15, kColumnsOfTask = 64;

Tensor product_of_row(const Tensor& x, const Tensor& w) {
  RECORD_USER_SCOPE("product of a row");
  const int64_t depth = w.size(0), columns = w.size(1);
  const Tensor out = at::empty({1, columns}, x.options());
  float* const to = out.data_ptr<float>();
  const int64_t tasks = (columns + kColumnsOfTask - 1) / kColumnsOfTask;
  at::parallel_for(0, tasks, std::max<int64_t>(1, kFewestNumbers / (kColumnsOfTask * std::max<int64_t>(depth, 1))),
                   [&](int64_t begin, int64_t end) {
                     decoder_kernels().vector_product(depth, data(x), data(w), w.stride(0), w.stride(1),
                                                      begin * kColumnsOfTask, std::min(columns, end * kColumnsOfTask),
                                                      to);
                   });
  return out;
}

// Of matrices. Networks of images keep LibTorch's products where those kernels are not, and with it their bits.
Tensor decoder_product(const Tensor& a, const Tensor& b) {
  const KernelTable& table = *default_kernel_isa().value.kernels;
  const ProductKernels* kernels = table.products ? table.products : table.float_products;
  constexpr int64_t kFewestRows = 64;  // to pack B takes longer than fewer save
  if (a.size(0) == 1 && (b.stride(0) == 1 || b.stride(1) == 1)) return product_of_row(a.contiguous(), b);
  if (kernels && a.size(0) >= kFewestRows) return product(a, b, {}, *kernels);
  return at::mm(a, b);
}

class MultiplyRows : public torch::autograd::Function<MultiplyRows> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& w) {
    context->save_for_backward({x, w});
    return decoder_product(x, w);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &w = saved[1], &d = grads[0];
    return {context->needs_input_grad(0) ? decoder_product(d, w.t()) : Tensor(),
            context->needs_input_grad(1) ? decoder_product(x.t(), d) : Tensor()};
  }
};

struct RmsNormed {
  Tensor y, inverse;
};
RmsNormed normalise(const Tensor& x, const Tensor& weight, double epsilon) {
  RECORD_USER_SCOPE("rms_norm");
  const int64_t dim = x.size(-1), rows = x.numel() / dim;
  const RmsNormed out{at::empty(x.sizes(), x.options()), at::empty({rows}, x.options())};
  for_row_pieces(rows, [&](int64_t first, int64_t last) {
    decoder_kernels().rms_norm(last - first, dim, data(x) + first * dim, data(weight), static_cast<float>(epsilon),
                               out.y.data_ptr<float>() + first * dim, out.inverse.data_ptr<float>() + first);
  });
  return out;
}

class RmsNormRows : public torch::autograd::Function<RmsNormRows> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight, double epsilon) {
    const RmsNormed out = normalise(x, weight, epsilon);
    context->save_for_backward({x, weight, out.inverse});
    return out.y;
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    RECORD_USER_SCOPE("rms_norm backward");
    const tensor_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2], dy = grads[0].contiguous();
    const int64_t dim = x.size(-1), rows = inverse.size(0);
    const Tensor dx = at::empty_like(x), sums = at::zeros({decoder_pieces(rows), dim}, x.options());
    for_row_pieces(rows, [&](int64_t first, int64_t last) {
      decoder_kernels().rms_norm_backward(last - first, dim, data(dy) + first * dim, data(x) + first * dim,
                                          data(weight), data(inverse) + first, dx.data_ptr<float>() + first * dim,
                                          sums.data_ptr<float>() + first / kDecoderPiece * dim);
    });
    return {dx, sums.sum(0), {}};
  }
};

Tensor turned(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  RECORD_USER_SCOPE("rotate");
  const int64_t length = x.size(1), heads = x.size(2), dim = x.size(3);
  const Tensor out = at::empty(x.sizes(), x.options());
  for_row_pieces(x.size(0) * length, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t angle = row % length * (dim / 2), at = row * heads * dim;
      decoder_kernels().rotate(heads, dim, data(x) + at, data(cos) + angle, data(sin) + angle,
                               out.data_ptr<float>() + at);
    }
  });
  return out;
}

class RotatePairs : public torch::autograd::Function<RotatePairs> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    context->save_for_backward({cos, sin});
    return turned(x, cos, sin);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    return {turned(grads[0].contiguous(), saved[0], saved[1].neg()), {}, {}};
  }
};

Tensor gated(const Tensor& g, const Tensor& p) {
  RECORD_USER_SCOPE("gate");
  const Tensor out = at::empty(g.sizes(), g.options());
  constexpr int64_t kPiece = 1 << 14;
  at::parallel_for(0, g.numel(), kPiece, [&](int64_t begin, int64_t end) {
    decoder_kernels().gate(end - begin, data(g) + begin, data(p) + begin, out.data_ptr<float>() + begin);
  });
  return out;
}

class GateBySilu : public torch::autograd::Function<GateBySilu> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& g, const Tensor& p) {
    context->save_for_backward({g, p});
    return gated(g, p);
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    RECORD_USER_SCOPE("gate backward");
    const tensor_list saved = context->get_saved_variables();
    const Tensor &g = saved[0], &p = saved[1], d = grads[0].contiguous();
    const Tensor dg = at::empty_like(g), dp = at::empty_like(p);
    constexpr int64_t kPiece = 1 << 14;
    at::parallel_for(0, d.numel(), kPiece, [&](int64_t begin, int64_t end) {
      decoder_kernels().gate_backward(end - begin, data(d) + begin, data(g) + begin, data(p) + begin,
                                      dg.data_ptr<float>() + begin, dp.data_ptr<float>() + begin);
    });
    return {dg, dp};
  }
};

}  // namespace

Tensor multiply_rows(const Tensor& x, const Tensor& w) {
  const bool takes = is_cpu_float(x) && is_cpu_float(w) && Autocast::current(at::kCPU) == at::kFloat && x.numel() > 0;
  if (!takes) return at::matmul(x, w);
  const Tensor rows = x.reshape({-1, x.size(-1)});
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = w.size(1);
  return (needs_gradient(x, w) ? MultiplyRows::apply(rows, w) : decoder_product(rows, w)).view(shape);
}

Tensor rms_norm(const Tensor& x, const RmsNorm& norm) {
  if (!is_cpu_float(x) || !is_cpu_float(norm.weight) || x.numel() == 0) return norm(x);
  const Tensor rows = x.contiguous();
  if (needs_gradient(x, norm.weight)) return RmsNormRows::apply(rows, norm.weight, norm.epsilon);
  return normalise(rows, norm.weight, norm.epsilon).y;
}

Tensor rotate_pairs(const Tensor& x, const Tensor& cos, const Tensor& sin) {
  if (!is_cpu_float(x) || !is_cpu_float(cos) || !is_cpu_float(sin)) {
    const std::vector<Tensor> pairs = x.to(cos.scalar_type()).unflatten(-1, {-1, 2}).unbind(-1);
    const Tensor c = cos.unsqueeze(1), s = sin.unsqueeze(1);
    return at::stack({pairs[0] * c - pairs[1] * s, pairs[0] * s + pairs[1] * c}, -1).flatten(-2).to(x.scalar_type());
  }
  TORCH_CHECK(x.dim() == 4 && cos.sizes() == sin.sizes() && cos.sizes() == at::IntArrayRef({x.size(1), x.size(3) / 2}),
              "angles of ", x.sizes(), " are [L, D / 2], got ", cos.sizes(), " and ", sin.sizes());
  const Tensor rows = x.contiguous(), c = cos.contiguous(), s = sin.contiguous();
  return needs_gradient(x, cos) ? RotatePairs::apply(rows, c, s) : turned(rows, c, s);
}

Tensor gate_by_silu(const Tensor& g, const Tensor& p) {
  if (!is_cpu_float(g) || !is_cpu_float(p)) return g * at::silu(p);
  const Tensor a = g.contiguous(), b = p.contiguous();
  return needs_gradient(g, p) ? GateBySilu::apply(a, b) : gated(a, b);
}

}  // namespace uvic
