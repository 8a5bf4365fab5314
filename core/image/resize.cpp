// Pillow's Image.resize, bit for bit: separable, antialiased, fixed-point weights, rounded to uint8 between the passes.
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/image/image.h"

namespace uvic {
namespace {

struct Kernel {
  double support;  // zero outside [-support, support]
  double (*at)(double x);
};

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double box(double x) {
  return x > -0.5 && x <= 0.5 ? 1 : 0;
}

double triangle(double x) {
  return std::max(0.0, 1 - std::abs(x));
}

// Keys' cubic with a = -0.5.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double lanczos3(double x) {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return {0.5, box};
    case Filter::kBilinear:
      return {1, triangle};
    case Filter::kBicubic:
      return {2, cubic};
    case Filter::kLanczos:
      return {3, lanczos3};
  }
  TORCH_CHECK(false, "unknown filter");
}

// The weights are 22-bit fixed-point numbers: 8 bits of the pixel and 2 of head-room are left in 32.
constexpr int kFractionBits = 22;

// Output pixel i is the sum over j < count[i] of weight[i * stride + j] * in[first[i] + j].
template <class Weight>
struct Taps {
  int64_t stride;
  std::vector<int64_t> first, count;
  std::vector<Weight> weight;
};

Taps<double> real_taps(int64_t in, int64_t out, const Kernel& kernel) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double stretch = std::max(scale, 1.0);  // shrinking widens the kernel: that is the antialiasing
  const double support = kernel.support * stretch;
  Taps<double> taps;
  taps.stride = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
  taps.weight.assign(static_cast<size_t>(out * taps.stride), 0);
  for (int64_t i = 0; i < out; ++i) {
    double* weight = &taps.weight[i * taps.stride];
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t count = std::min<int64_t>(in, static_cast<int64_t>(center + support + 0.5)) - first;
    double sum = 0;
    for (int64_t j = 0; j < count; ++j)
      sum += weight[j] = kernel.at((static_cast<double>(first + j) - center + 0.5) * (1 / stretch));
    for (int64_t j = 0; j < count && sum != 0; ++j) weight[j] /= sum;
    taps.first.push_back(first);
    taps.count.push_back(count);
  }
  return taps;
}

Taps<int32_t> fixed_taps(int64_t in, int64_t out, const Kernel& kernel) {
  const Taps<double> real = real_taps(in, out, kernel);
  Taps<int32_t> taps{real.stride, real.first, real.count, {}};
  for (const double weight : real.weight) {
    const double fixed = weight * (1 << kFractionBits);
    taps.weight.push_back(static_cast<int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5));
  }
  return taps;
}

// [out, in] float64: a resized column is this times the column.
Tensor resize_matrix(int64_t in, int64_t out, const Kernel& kernel) {
  const Taps<double> taps = real_taps(in, out, kernel);
  Tensor matrix = at::zeros({out, in}, at::kDouble);
  double* row = matrix.data_ptr<double>();
  for (int64_t i = 0; i < out; ++i, row += in)
    std::copy_n(&taps.weight[i * taps.stride], taps.count[i], row + taps.first[i]);
  return matrix;
}

constexpr int32_t kHalf = 1 << (kFractionBits - 1);

uint8_t to_byte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

// The pixels of a row lie together; the rows need not.
Tensor resize_columns(const Tensor& image, int64_t width, const Kernel& kernel) {
  const int64_t height = image.size(0), in_width = image.size(1), stride = image.stride(0);
  const Taps<int32_t> taps = fixed_taps(in_width, width, kernel);
  Tensor result = at::empty({height, width, 3}, at::kByte);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.data_ptr<uint8_t>();
  for (int64_t y = 0; y < height; ++y, in += stride)
    for (int64_t x = 0; x < width; ++x, out += 3) {
      const int32_t* weight = &taps.weight[x * taps.stride];
      const uint8_t* pixel = in + 3 * taps.first[x];
      int32_t r = kHalf, g = kHalf, b = kHalf;
      for (int64_t j = 0; j < taps.count[x]; ++j, pixel += 3) {
        r += weight[j] * pixel[0];
        g += weight[j] * pixel[1];
        b += weight[j] * pixel[2];
      }
      out[0] = to_byte(r);
      out[1] = to_byte(g);
      out[2] = to_byte(b);
    }
  return result;
}

// Whole rows are added up, which the compiler turns into vector code.
Tensor resize_rows(const Tensor& image, int64_t height, const Kernel& kernel) {
  const int64_t row = 3 * image.size(1);
  const Taps<int32_t> taps = fixed_taps(image.size(0), height, kernel);
  Tensor result = at::empty({height, image.size(1), 3}, at::kByte);
  const uint8_t* in = image.const_data_ptr<uint8_t>();
  uint8_t* out = result.data_ptr<uint8_t>();
  std::vector<int32_t> sum(static_cast<size_t>(row));
  for (int64_t y = 0; y < height; ++y, out += row) {
    std::fill(sum.begin(), sum.end(), kHalf);
    for (int64_t j = 0; j < taps.count[y]; ++j) {
      const int32_t weight = taps.weight[y * taps.stride + j];
      const uint8_t* pixels = in + (taps.first[y] + j) * row;
      for (int64_t x = 0; x < row; ++x) sum[x] += weight * pixels[x];
    }
    for (int64_t x = 0; x < row; ++x) out[x] = to_byte(sum[x]);
  }
  return result;
}

Tensor crop(const Tensor& image, int64_t top, int64_t left, int64_t height, int64_t width) {
  return image.narrow(0, top, height).narrow(1, left, width);
}

}  // namespace

Tensor resize_like_pillow(const Tensor& image, int64_t height, int64_t width, Filter filter) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte && image.device().is_cpu(),
              "resize_like_pillow: expected [H, W, 3] uint8 on the CPU, got ", image.sizes(), " ", image.scalar_type());
  TORCH_CHECK(image.numel() > 0 && height > 0 && width > 0, "resize_like_pillow: ", image.sizes(), " to ", height,
              " x ", width);
  const Kernel kernel = kernel_of(filter);
  const bool cropped = image.stride(1) == 3 && image.stride(2) == 1;  // a part of a picture, which need not be copied
  Tensor result = cropped && width != image.size(1) ? image : image.contiguous();
  if (width != image.size(1)) result = resize_columns(result, width, kernel);
  if (height != image.size(0)) result = resize_rows(result, height, kernel);
  return result;
}

Tensor resize_float_like_pillow(const Tensor& images, int64_t height, int64_t width, Filter filter) {
  TORCH_CHECK(images.dim() >= 2 && images.numel() > 0 && images.is_floating_point(),
              "resize_float_like_pillow: expected [.., H, W] float, got ", images.sizes(), " ", images.scalar_type());
  const Kernel kernel = kernel_of(filter);
  Tensor result = images.to(at::kFloat);
  if (width != images.size(-1))
    result = at::matmul(result.to(at::kDouble), resize_matrix(images.size(-1), width, kernel).t()).to(at::kFloat);
  if (height != images.size(-2))
    result = at::matmul(resize_matrix(images.size(-2), height, kernel), result.to(at::kDouble)).to(at::kFloat);
  return result;
}

Tensor center_crop_resize(const Tensor& image, int64_t size) {
  const int64_t height = image.size(0), width = image.size(1), side = std::min(height, width);
  return resize_like_pillow(crop(image, (height - side) / 2, (width - side) / 2, side, side), size, size,
                            Filter::kLanczos);
}

Tensor center_crop_adm(const Tensor& image, int64_t size) {
  Tensor result = image;
  while (std::min(result.size(0), result.size(1)) >= 2 * size)
    result = resize_like_pillow(result, result.size(0) / 2, result.size(1) / 2, Filter::kBox);
  const double scale = static_cast<double>(size) / static_cast<double>(std::min(result.size(0), result.size(1)));
  // Python's round: halves go to the even neighbour, as in the default rounding mode.
  const auto scaled = [scale](int64_t n) {
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(n) * scale));
  };
  result = resize_like_pillow(result, scaled(result.size(0)), scaled(result.size(1)), Filter::kBicubic);
  return crop(result, (result.size(0) - size) / 2, (result.size(1) - size) / 2, size, size).contiguous();
}

}  // namespace uvic
