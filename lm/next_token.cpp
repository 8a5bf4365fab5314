#include "lm/next_token.h"

namespace uvic {

int64_t choose_token(const Tensor& logits, const NextTokenConfig& config, double uniform) {
  // In float64 and a fixed order, so that the same numbers give the same token everywhere.
  const Tensor wide = logits.to(at::kCPU, at::kDouble);
  if (config.temperature == 0) return wide.argmax().item<int64_t>();
  const auto [sorted, order] = wide.sort(/*stable=*/true, /*dim=*/-1, /*descending=*/true);
  int64_t count = wide.numel();
  if (config.top_k > 0) count = std::min(count, config.top_k);
  const Tensor shares = at::softmax(sorted.narrow(0, 0, count) / config.temperature, 0).cumsum(0);
  const double* const sums = shares.const_data_ptr<double>();
  int64_t kept = 1;
  while (kept < count && sums[kept - 1] < config.top_p) ++kept;
  const double point = uniform * sums[kept - 1];
  int64_t chosen = 0;
  while (chosen + 1 < kept && sums[chosen] <= point) ++chosen;
  return order[chosen].item<int64_t>();
}

}  // namespace uvic
