// Muon (K. Jordan et al. 2024, "Muon: an optimizer for hidden layers"): the momentum of a weight matrix, made
// orthogonal, is its step, so that all directions of the matrix learn alike and not only those that gradients favour.
#pragma once

#include "train/adamw.h"
#include "train/world.h"

namespace uvic {

// Nearest semi-orthogonal matrix to each of `matrices` [N, rows, cols], roughly: five Newton-Schulz iterations of
// degree 5 bring every singular value that is not tiny into about [0.7, 1.2]. Computed and returned in the dtype given.
Tensor orthogonalize(const Tensor& matrices);

// Muon for the weight matrices of the blocks (Role::kBlockMatrix), AdamW with `config` for everything else. Steps are
// scaled by 0.2 sqrt(max(rows, cols)) (arXiv 2502.16982, eq. 4), about the size of AdamW's, so that one learning rate
// and one weight decay serve both. `precision` is that of the iterations, which the ranks of `world` share out: each
// makes its part of the matrices orthogonal.
class Muon final : public Optimizer {
 public:
  Muon(const Parameters& parameters, const AdamWConfig& config, at::ScalarType precision, const World& world = {});

  void step(double lr) override;

  // "momentum.NAME", and AdamW's of the other parameters.
  TensorMap state() const override;
  void load_state(const TensorMap& state, const std::string& origin) override;

 private:
  TensorMap momenta() const;
  Tensor my_part_orthogonal(const Tensor& matrices) const;

  World world_;
  Parameters matrices_;  // those of one shape stand together
  std::vector<Tensor> momentum_;
  AdamW others_;
  double weight_decay_;
  at::ScalarType precision_;
};

}  // namespace uvic
