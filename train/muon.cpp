#include "train/muon.h"

#include <algorithm>
#include <cmath>

namespace uvic {
namespace {

constexpr double kMomentum = 0.95;
constexpr int kIterations = 5;

bool is_matrix(const Parameter& parameter) {
  return parameter.role == Role::kBlockMatrix;
}

Parameters by_shape(const Parameters& parameters) {
  Parameters list;
  std::ranges::copy_if(parameters, std::back_inserter(list), is_matrix);
  std::ranges::stable_sort(list, {}, [](const Parameter& p) { return p.tensor.sizes().vec(); });
  return list;
}

Parameters others(Parameters parameters) {
  std::erase_if(parameters, is_matrix);
  return parameters;
}

}  // namespace

Tensor orthogonalize(const Tensor& matrices) {
  TORCH_CHECK(matrices.dim() == 3, "orthogonalize: [N, rows, cols] expected, not ", matrices.sizes());
  const bool tall = matrices.size(1) > matrices.size(2);  // the products of the short side are the cheap ones
  Tensor x = tall ? matrices.transpose(1, 2).contiguous() : matrices;
  x = x / x.square().sum({1, 2}, /*keepdim=*/true, at::kFloat).sqrt().add(1e-7).to(x.scalar_type());
  for (int i = 0; i < kIterations; ++i) {
    const Tensor square = at::bmm(x, x.transpose(1, 2));
    const Tensor polynomial = at::baddbmm(square, square, square, -4.7750, 2.0315);
    x = at::baddbmm(x, polynomial, x, 3.4445, 1);
  }
  return tall ? x.transpose(1, 2) : x;
}

Muon::Muon(const Parameters& parameters, const AdamWConfig& config, at::ScalarType precision, const World& world)
    : world_(world),
      matrices_(by_shape(parameters)),
      others_(others(parameters), config),
      weight_decay_(config.weight_decay),
      precision_(precision) {
  for (const Parameter& p : matrices_)
    momentum_.push_back(at::zeros_like(p.tensor, p.tensor.options().requires_grad(false)));
}

void Muon::step(double lr) {
  at::NoGradGuard no_grad;
  std::vector<std::vector<Tensor>> groups;  // of weights of one shape
  std::vector<Tensor> directions;
  for (size_t begin = 0, end; begin < matrices_.size(); begin = end) {
    std::vector<Tensor> weights, gradients;
    for (end = begin; end < matrices_.size() && matrices_[end].tensor.sizes() == matrices_[begin].tensor.sizes();
         ++end) {
      const auto& [name, p, role] = matrices_[end];
      TORCH_CHECK(p.grad().defined(), "parameter ", name, " has no gradient");
      weights.push_back(p);
      gradients.push_back(p.grad());
    }
    const std::vector<Tensor> momentum(momentum_.begin() + begin, momentum_.begin() + end);
    at::_foreach_mul_(momentum, kMomentum);
    at::_foreach_add_(momentum, gradients);
    const std::vector<Tensor> ahead = at::_foreach_add(gradients, momentum, kMomentum);  // Nesterov's
    directions.push_back(my_part_orthogonal(at::stack(ahead).to(precision_)));
    groups.push_back(std::move(weights));
  }
  world_.all_reduce(directions);
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::vector<Tensor>& weights = groups[i];
    const auto longer = static_cast<double>(std::max(weights[0].size(0), weights[0].size(1)));
    at::_foreach_mul_(weights, 1 - lr * weight_decay_);
    at::_foreach_add_(weights, directions[i].to(weights[0].scalar_type()).unbind(), -lr * 0.2 * std::sqrt(longer));
  }
  others_.step(lr);
}

// Zeros in place of those that other ranks compute.
Tensor Muon::my_part_orthogonal(const Tensor& matrices) const {
  if (world_.size() == 1) return orthogonalize(matrices);
  const Tensor all = at::zeros_like(matrices);
  if (const Stretch mine = world_.share().of(matrices.size(0)); mine.size() > 0)
    all.slice(0, mine.begin, mine.end).copy_(orthogonalize(matrices.slice(0, mine.begin, mine.end)));
  return all;
}

TensorMap Muon::momenta() const {
  TensorMap named;
  for (size_t i = 0; i < matrices_.size(); ++i) named["momentum." + matrices_[i].name] = momentum_[i];
  return named;
}

TensorMap Muon::state() const {
  TensorMap state = others_.state();
  state.merge(momenta());
  return state;
}

void Muon::load_state(const TensorMap& state, const std::string& origin) {
  TensorMap ours, theirs;
  for (const auto& entry : state) (entry.first.starts_with("momentum.") ? ours : theirs).insert(entry);
  load_into(momenta(), ours, origin);
  others_.load_state(theirs, origin);
}

}  // namespace uvic
