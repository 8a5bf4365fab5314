// The Inception network of 2015 that defines the FID (Heusel et al., arXiv 1706.08500), in the variant of pytorch-fid.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "eval/weights_reader.h"

namespace uvic {

constexpr int64_t kInceptionSize = 299;  // pixels of a side of its input

class Inception {
 public:
  // Keys as pytorch-fid's state dict; `file` names the weights in errors.
  Inception(TensorMap weights, const std::string& file);

  // [B, 3, H, W] uint8 -> [B, 3, 299, 299] float32 in [0, 1], bilinear without antialiasing.
  static Tensor resize(const Tensor& images);

  // Spatial means after the first and second max pooling, after Mixed_6e and after Mixed_7c: [B, 64], [B, 192],
  // [B, 768], [B, 2048]. `x`: [B, 3, 299, 299] float32 in [-1, 1]. `spatial`: the first 7 channels of the 1x1 branch of
  // Mixed_6d with their places, [B, 7 * 17 * 17], which the spatial FID takes (Nash et al., arXiv 2103.03841).
  std::array<Tensor, 4> pools(const Tensor& x, Tensor* spatial = nullptr) const;

  // [B, 2048] -> [B, 1008]. The Inception Score takes them without bias.
  Tensor logits(const Tensor& pool, bool with_bias) const;

 private:
  enum class Pool { kNone, kAverage, kMax, kHalve };  // kHalve: max, stride 2
  struct Branch {
    Pool pool = Pool::kNone;
    std::vector<Conv> chain;
    std::vector<Conv> fork;  // applied side by side to the end of the chain, their outputs concatenated
  };
  using Block = std::vector<Branch>;  // branches of one input, concatenated

  static Tensor pooled(const Tensor& x, Pool pool);
  static Tensor run(const Block& block, const Tensor& x);
  void build_mixed(WeightsReader& reader);

  std::vector<Conv> stem_;    // Conv2d_1a_3x3 ... Conv2d_4a_3x3
  std::vector<Block> mixed_;  // Mixed_5b ... Mixed_7c
  Linear fc_;
};

// TensorFlow's layer names, as in the TorchScript file inception-2015-12-05.pt, to those of pytorch-fid; other names
// stay.
TensorMap pytorch_fid_names(const TensorMap& weights);

}  // namespace uvic
