#include "transformer/kernels/products.h"

#include <ATen/Parallel.h>
#include <ATen/record_function.h>

#include "transformer/kernels/isa.h"

namespace uvic {
namespace {

int64_t ceil_divide(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

Tensor with_contiguous_dimension(const Tensor& x) {
  return x.stride(0) == 1 || x.stride(1) == 1 ? x : x.contiguous();
}

Strided strided(const Tensor& x) {
  return {x.const_data_ptr<float>(), x.stride(0), x.stride(1)};
}

Tensor bytes(int64_t count) {
  return at::empty({count}, at::kByte);  // aligned to 64 bytes
}

}  // namespace

Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias, const ProductKernels& kernels) {
  RECORD_USER_SCOPE("product");
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(0), "product of ", a.sizes(), " and ", b.sizes());
  TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == b.size(1)), "a bias of ", bias.sizes());
  if (a.size(1) == 0) return at::zeros({a.size(0), b.size(1)}) + (bias.defined() ? bias : at::zeros({}));
  const Tensor left = with_contiguous_dimension(a), right = with_contiguous_dimension(b);
  const ProductShape shape{a.size(0), b.size(1), a.size(1)};
  const int64_t panels = ceil_divide(shape.columns, kPanelColumns), blocks = ceil_divide(shape.depth, kBlockDepth);
  const Tensor packed = bytes(panels * blocks * kernels.panel_bytes_of_block);
  at::parallel_for(0, panels, 1, [&](int64_t first, int64_t last) {
    kernels.pack(shape, strided(right), first, last, packed.data_ptr());
  });
  const Tensor addend = bias.defined() ? bias.contiguous() : bias;
  const float* const row_added = addend.defined() ? addend.const_data_ptr<float>() : nullptr;
  const Tensor c = at::empty({shape.rows, shape.columns}, at::kFloat);
  constexpr int64_t kRows = 32;  // a thread gets a multiple
  at::parallel_for(0, ceil_divide(shape.rows, kRows), 1, [&](int64_t begin, int64_t end) {
    const Tensor workspace = bytes(kernels.workspace);
    kernels.multiply(shape, strided(left), packed.data_ptr(), row_added, c.data_ptr<float>(), begin * kRows,
                     std::min(end * kRows, shape.rows), workspace.data_ptr());
  });
  return c;
}

Tensor product(const Tensor& a, const Tensor& b, const Tensor& bias) {
  const ProductKernels* kernels = default_kernel_isa().value.kernels->products;
  constexpr int64_t kFewestRows = 512;  // to pack B takes longer than fewer rows save, such as those of one image
  if (kernels && a.scalar_type() == at::kFloat && a.size(0) >= kFewestRows) return product(a, b, bias, *kernels);
  return bias.defined() ? at::addmm(bias, a, b) : at::mm(a, b);
}

}  // namespace uvic
