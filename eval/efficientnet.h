// EfficientNet-Lite0 (Tan and Le, arXiv 1905.11946, in the variant without squeeze-and-excitation and with ReLU6),
// trained on ImageNet: a feature network whose weights come with a package, for machines that cannot download others.
#pragma once

#include <string>
#include <vector>

#include "eval/weights_reader.h"

namespace uvic {

class EfficientNetLite0 {
 public:
  // The 296 keys of efficientnet_lite_pytorch's state dict; `file` names the weights in errors.
  EfficientNetLite0(TensorMap weights, const std::string& file);

  // [B, 3, H, W] uint8 -> [B, 3, 224, 224] uint8, bicubic and antialiased as Pillow does it.
  static Tensor resize(const Tensor& images);

  // [B, 3, 224, 224] uint8 -> [B, 1280] float32, the spatial mean of the last layer.
  Tensor features(const Tensor& resized) const;

  Tensor logits(const Tensor& features) const;  // [B, 1280] -> [B, 1000]

 private:
  struct Block {
    std::vector<Conv> expand;  // one, or none in the first block
    Conv depthwise, project;
    bool residual;
  };
  Conv stem_, head_;
  std::vector<Block> blocks_;
  Linear fc_;
};

}  // namespace uvic
