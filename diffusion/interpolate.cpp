#include "diffusion/interpolate.h"

#include <algorithm>
#include <cmath>

namespace uvic {

Tensor slerp(const Tensor& a, const Tensor& b, double mix) {
  const Tensor from = a.to(at::kDouble), to = b.to(at::kDouble);
  const double cosine = (from * to).sum().item<double>() / (from.norm() * to.norm()).item<double>();
  const double angle = std::acos(std::clamp(cosine, -1.0, 1.0)), sine = std::sin(angle);
  if (sine < 1e-6) return at::lerp(from, to, mix).to(a.scalar_type());  // (almost) one direction
  return (from * (std::sin((1 - mix) * angle) / sine) + to * (std::sin(mix * angle) / sine)).to(a.scalar_type());
}

}  // namespace uvic
