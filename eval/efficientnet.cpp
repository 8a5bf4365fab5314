#include "eval/efficientnet.h"

#include "core/image/image.h"
#include "eval/imagenet.h"

namespace uvic {
namespace {

constexpr int64_t kLiteSize = 224, kStem = 32, kLiteFeatures = 1280, kLiteClasses = 1000;

// A run of blocks of one shape; the first block has the stride, the others have 1.
struct Stage {
  int64_t blocks, kernel, stride, expansion, out;
};
constexpr Stage kStages[] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                             {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};

// TensorFlow's "same": with stride 1 it is symmetric; with stride 2 and an even side (all sides here are) one row and
// one column more at the end than at the start, so the padding cannot be left to the convolution.
ConvShape same(int64_t out, int64_t in, int64_t kernel, int64_t stride, bool depthwise) {
  const int64_t padding = stride == 1 ? kernel / 2 : 0;
  return {out, in, {kernel, kernel}, {stride, stride}, {padding, padding}, depthwise};
}

Tensor run(const Conv& conv, const Tensor& x) {
  if (conv.stride[0] == 1) return conv(x);
  const int64_t total = conv.weight.size(2) - conv.stride[0], before = total / 2, after = total - before;
  return conv(at::constant_pad_nd(x, {before, after, before, after}));
}

Tensor clip6(Tensor x) {
  return x.clamp_(0, 6);
}  // ReLU6 in place

}  // namespace

EfficientNetLite0::EfficientNetLite0(TensorMap weights, const std::string& file) {
  WeightsReader reader(std::move(weights), file);
  stem_ = reader.take_conv("_conv_stem", "_bn0", same(kStem, 3, 3, 2, false));
  int64_t in = kStem;
  for (const Stage& stage : kStages) {
    for (int64_t i = 0; i < stage.blocks; ++i) {
      const std::string name = fmt::format("_blocks.{}.", blocks_.size());
      const int64_t stride = i == 0 ? stage.stride : 1, wide = in * stage.expansion;
      Block block;
      if (stage.expansion > 1)
        block.expand = {reader.take_conv(name + "_expand_conv", name + "_bn0", same(wide, in, 1, 1, false))};
      block.depthwise =
          reader.take_conv(name + "_depthwise_conv", name + "_bn1", same(wide, wide, stage.kernel, stride, true));
      block.project = reader.take_conv(name + "_project_conv", name + "_bn2", same(stage.out, wide, 1, 1, false));
      block.residual = stride == 1 && in == stage.out;
      blocks_.push_back(std::move(block));
      in = stage.out;
    }
  }
  head_ = reader.take_conv("_conv_head", "_bn1", same(kLiteFeatures, in, 1, 1, false));
  fc_ = reader.take_linear("_fc", kLiteFeatures, kLiteClasses);
  reader.finish();
}

Tensor EfficientNetLite0::resize(const Tensor& images) {
  std::vector<Tensor> resized;
  for (const Tensor& image : images.unbind())
    resized.push_back(resize_like_pillow(image.permute({1, 2, 0}).contiguous(), kLiteSize, kLiteSize, Filter::kBicubic)
                          .permute({2, 0, 1}));
  return at::stack(resized);
}

Tensor EfficientNetLite0::features(const Tensor& resized) const {
  Tensor pixels = resized.to(at::kFloat);
  Tensor x = normalize_imagenet(pixels).contiguous(at::MemoryFormat::ChannelsLast);
  x = clip6(run(stem_, x));
  for (const Block& block : blocks_) {
    Tensor y = x;
    for (const Conv& expand : block.expand) y = clip6(expand(y));
    y = block.project(clip6(run(block.depthwise, y)));
    x = block.residual ? y.add_(x) : y;
  }
  return clip6(head_(x)).mean({2, 3});
}

Tensor EfficientNetLite0::logits(const Tensor& features) const {
  return fc_(features);
}

}  // namespace uvic
