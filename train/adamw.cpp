#include "train/adamw.h"

namespace uvic {

AdamW::AdamW(Parameters parameters, const AdamWConfig& config) : parameters_(std::move(parameters)), config_(config) {
  for (const Parameter& parameter : parameters_) {
    const Tensor& p = parameter.tensor;
    exp_avg_.push_back(at::zeros_like(p, p.options().requires_grad(false)));
    exp_avg_sq_.push_back(at::zeros_like(p, p.options().requires_grad(false)));
    steps_.push_back(at::zeros({}, p.options().dtype(at::kFloat).requires_grad(false)));
  }
}

void AdamW::step(double lr) {
  if (parameters_.empty()) return;  // Muon has taken them all
  at::NoGradGuard no_grad;
  std::vector<Tensor> parameters, gradients;
  for (const Parameter& p : parameters_) {
    TORCH_CHECK(p.tensor.grad().defined(), "parameter ", p.name, " has no gradient");
    parameters.push_back(p.tensor);
    gradients.push_back(p.tensor.grad());
  }
  at::_foreach_add_(steps_, 1);
  at::_fused_adamw_(parameters, gradients, exp_avg_, exp_avg_sq_, /*max_exp_avg_sqs=*/{}, steps_, lr, config_.beta1,
                    config_.beta2, config_.weight_decay, config_.eps, /*amsgrad=*/false, /*maximize=*/false);
}

TensorMap AdamW::state() const {
  TensorMap state;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    state["exp_avg." + parameters_[i].name] = exp_avg_[i];
    state["exp_avg_sq." + parameters_[i].name] = exp_avg_sq_[i];
  }
  if (!steps_.empty()) state["step"] = steps_.front().to(at::kLong).reshape({1});
  return state;
}

void AdamW::load_state(const TensorMap& state, const std::string& origin) {
  const TensorMap target = this->state();
  load_into(target, state, origin);
  for (Tensor& each : steps_) each.fill_(target.at("step").item<int64_t>());
}

}  // namespace uvic
