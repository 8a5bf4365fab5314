#include "eval/inception_input.h"

#include "core/image.h"
#include "eval/inception.h"

namespace uvic {
namespace {

constexpr int64_t kSize = 299;

// The original graph's scaling, which the two others that do not call themselves pytorch-fid keep.
Tensor scaled(Tensor pixels) {
  return pixels.sub_(128).div_(128);
}

Tensor pytorch_fid(const Tensor& images) {
  return Inception::resize(images).mul_(2).sub_(1);
}

// Parmar et al., arXiv 2104.11222: Pillow's antialiased bicubic on float channels.
Tensor clean(const Tensor& images) {
  return scaled(resize_float_like_pillow(images.to(at::kFloat), kSize, kSize, Filter::kBicubic).clamp_(0, 255));
}

// Where TensorFlow 1 finds output pixel i along a side: i * in / out, without the half pixel.
struct Places {
  Tensor low, high, share;  // of `high`
};

Places places(int64_t in) {
  const Tensor at = at::arange(kSize).to(at::kFloat) * (static_cast<float>(in) / static_cast<float>(kSize));
  const Tensor low = at.to(at::kLong);
  return {low, (low + 1).clamp_max(in - 1), at - low};
}

Tensor tensorflow(const Tensor& images) {
  const Places rows = places(images.size(2)), columns = places(images.size(3));
  const Tensor x = images.to(at::kFloat);
  const auto between = [](const Tensor& from, int64_t dim, const Places& p, const Tensor& share) {
    const Tensor low = from.index_select(dim, p.low);
    return low + (from.index_select(dim, p.high) - low) * share;
  };
  return scaled(between(between(x, 3, columns, columns.share), 2, rows, rows.share.unsqueeze(1)));
}

constexpr Entry<InceptionInput> kTable[] = {
    {"pytorch-fid", pytorch_fid, "bilinear without antialiasing, as pytorch-fid"},
    {"clean", clean, "Pillow's bicubic in float, as clean-fid"},
    {"tf", tensorflow, "TensorFlow 1's bilinear, as the original and torch-fidelity"},
};

}  // namespace

std::span<const Entry<InceptionInput>> resize_modes() {
  return kTable;
}

}  // namespace uvic
