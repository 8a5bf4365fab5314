// AdamW (arXiv 1711.05101): Adam with weight decay that is decoupled from the gradient.
#pragma once

#include "train/optimizer.h"

namespace uvic {

struct AdamWConfig {
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;  // of every parameter, as U-ViT does
};

class AdamW final : public Optimizer {
 public:
  AdamW(Parameters parameters, const AdamWConfig& config);

  // One update from the parameters' gradients. PyTorch's rule: decay by lr weight_decay, then the bias-corrected step.
  void step(double lr) override;

  // "exp_avg.NAME", "exp_avg_sq.NAME" and "step".
  TensorMap state() const override;
  void load_state(const TensorMap& state, const std::string& origin) override;

 private:
  Parameters parameters_;
  AdamWConfig config_;
  std::vector<Tensor> exp_avg_, exp_avg_sq_, steps_;
};

}  // namespace uvic
