#include "eval/inception_input.h"

#include "core/image/image.h"
#include "eval/inception.h"

namespace uvic {
namespace {

// The original graph's scaling, which the two others that do not call themselves pytorch-fid keep.
Tensor scaled(Tensor pixels) {
  return pixels.sub_(128).div_(128);
}

Tensor pytorch_fid(const Tensor& images) {
  return Inception::resize(images).mul_(2).sub_(1);
}

// Parmar et al., arXiv 2104.11222: Pillow's antialiased bicubic on float channels.
Tensor clean(const Tensor& images) {
  return scaled(
      resize_float_like_pillow(images.to(at::kFloat), kInceptionSize, kInceptionSize, Filter::kBicubic).clamp_(0, 255));
}

Tensor tensorflow(const Tensor& images) {
  return scaled(resize_bilinear(images.to(at::kFloat), kInceptionSize, kInceptionSize, /*centred=*/false));
}

constexpr Entry<InceptionInput> kResizeModes[] = {
    {"pytorch-fid", pytorch_fid, "bilinear without antialiasing, as pytorch-fid"},
    {"clean", clean, "Pillow's bicubic in float, as clean-fid"},
    {"tf", tensorflow, "TensorFlow 1's bilinear, as the original and torch-fidelity"},
};

}  // namespace

Tensor resize_bilinear(const Tensor& images, int64_t height, int64_t width, bool centred) {
  const auto along = [centred](const Tensor& x, int64_t dim, int64_t size) {
    const int64_t in = x.size(dim);
    const float scale = static_cast<float>(in) / static_cast<float>(size);
    const Tensor i = at::arange(size).to(at::kFloat);
    const Tensor place = centred ? ((i + 0.5) * scale - 0.5).clamp_min(0) : i * scale;
    const Tensor low = place.to(at::kLong), high = (low + 1).clamp_max(in - 1), share = place - low;
    const Tensor from = x.index_select(dim, low);
    return from + (x.index_select(dim, high) - from) * (dim == 2 ? share.unsqueeze(1) : share);
  };
  return along(along(images, 3, width), 2, height);
}

std::span<const Entry<InceptionInput>> resize_modes() {
  return kResizeModes;
}

}  // namespace uvic
