// Low-rank adapters (LoRA, arXiv 2106.09685): frozen matrices, and a trained product of two thin ones beside each.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/parameters.h"

namespace uvic {

struct LoraConfig {
  int64_t rank = 0;  // 0: none
  double alpha = 0;  // the product counts alpha / rank times; 0: rank
};

// weight + alpha / rank left right: weight [m, n], left [m, rank], right [rank, n]; differentiable. Its product is
// never one of Autocast's, whose rounding would be that of the weights themselves.
Tensor with_lora(const Tensor& weight, const Tensor& left, const Tensor& right, double alpha);

// How matrices lie in memory, and what their adapters are called.
enum class MatrixLayout {
  kOutIn,  // NAME.weight of a linear layer, [out, in]: NAME.lora_A.weight [rank, in] and NAME.lora_B.weight [out, rank]
  kInOut,  // NAME, [in, out]: NAME.lora_a [in, rank] and NAME.lora_b [rank, out]
};

// The adapters of a network: trained in place of it.
class Adapters {
 public:
  // For every kBlockMatrix of the network, whose tensors it keeps and leaves as they are. What is multiplied first is
  // drawn from `seed`, uniform in +-1 / sqrt(in), the other is zero: the network is what it was. Of the rest of the
  // network only `fam_embedding` is trained, as a whole. Error for a rank below 1 or above the side of a matrix.
  Adapters(const Parameters& network, const LoraConfig& config, uint64_t seed, MatrixLayout layout);

  const Parameters& parameters() const { return trained_; }

  // All weights of the network with these values of parameters(), by name; differentiable with respect to them.
  TensorMap weights(const TensorMap& values) const;
  TensorMap weights() const { return weights(to_map(trained_)); }

 private:
  Parameters network_, trained_;
  double alpha_;
  MatrixLayout layout_;
};

// Whether they are adapters, not a network's own weights.
bool are_adapters(const TensorMap& tensors);

// Adds `strength` times the adapters of a file, of some of its matrices, to the network in place; of `fam_embedding`
// the difference. `alpha` of a rank: what the product counts rank times less. Error naming `origin`, and nothing is
// changed, unless the network has their matrices in their shapes.
void add_adapters(const Parameters& network, const TensorMap& adapters,
                  const std::function<double(int64_t rank)>& alpha, double strength, const std::string& origin);

}  // namespace uvic
