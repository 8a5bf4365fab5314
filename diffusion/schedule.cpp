#include "diffusion/schedule.h"

#include <algorithm>
#include <numbers>

namespace uvic {
namespace {

constexpr int64_t kDiscreteSteps = 1000;

// log alpha with log(alpha / sigma) = lambda, i.e. -log(1 + exp(-2 lambda)) / 2 without overflow.
double log_alpha_of(double lambda) {
  return -0.5 * (std::max(-2 * lambda, 0.0) + std::log1p(std::exp(-2 * std::abs(lambda))));
}

// The variance-preserving SDE with beta(t) linear in t (arXiv 2011.13456, appendix C).
class VpSchedule final : public Schedule {
 public:
  VpSchedule(double start, double end) : start_(start), slope_(end - start) {}

  int64_t steps() const override { return 0; }
  double log_alpha(double t) const override { return -0.5 * t * (start_ + 0.5 * t * slope_); }
  double beta(double t) const override { return start_ + t * slope_; }
  double inverse_lambda(double lambda) const override {
    const double target =
        -log_alpha_of(lambda);  // the positive root of slope/4 t^2 + start/2 t = target, no cancellation
    return 2 * target / (0.5 * start_ + std::sqrt(0.25 * start_ * start_ + slope_ * target));
  }

 private:
  double start_, slope_;
};

class DiscreteSchedule final : public Schedule {
 public:
  explicit DiscreteSchedule(const std::vector<double>& betas) : betas_(betas), log_alpha_{0} {
    TORCH_CHECK(!betas.empty(), "a discrete schedule needs at least one beta");
    for (const double beta : betas) {
      TORCH_CHECK(beta > 0 && beta < 1, "beta ", beta, " is outside (0, 1)");
      log_alpha_.push_back(log_alpha_.back() + 0.5 * std::log1p(-beta));
    }
  }

  int64_t steps() const override { return static_cast<int64_t>(betas_.size()); }
  double log_alpha(double t) const override {
    const double place = t * static_cast<double>(steps());
    const int64_t n = std::clamp<int64_t>(static_cast<int64_t>(place), 0, steps() - 1);
    return std::lerp(log_alpha_[n], log_alpha_[n + 1], place - static_cast<double>(n));
  }
  double beta(double t) const override {
    // t = n / N may come back a rounding above n.
    const double n = std::ceil(t * static_cast<double>(steps()) - 1e-6);
    return static_cast<double>(steps()) * betas_[std::clamp<int64_t>(static_cast<int64_t>(n) - 1, 0, steps() - 1)];
  }
  double inverse_lambda(double lambda) const override {
    const double target = log_alpha_of(lambda);
    const auto below = std::lower_bound(log_alpha_.begin() + 1, log_alpha_.end() - 1, target, std::greater<>());
    const double fraction = (below[-1] - target) / (below[-1] - below[0]);
    return (static_cast<double>(below - log_alpha_.begin() - 1) + fraction) / static_cast<double>(steps());
  }

 private:
  std::vector<double> betas_;
  std::vector<double> log_alpha_;  // of n = 0..N
};

struct Range {
  double start, end;
};

Range betas_of(const ScheduleConfig& config, Range own, double limit) {
  const Range range{config.beta_start == 0 ? own.start : config.beta_start,
                    config.beta_end == 0 ? own.end : config.beta_end};
  if (!(range.start > 0 && range.start <= range.end && range.end < limit))
    fail(
        "the {} schedule cannot go from beta_start {} to beta_end {}: expected 0 < beta_start <= beta_end < {} "
        "(its own values are {} and {})",
        config.kind, range.start, range.end, limit, own.start, own.end);
  return range;
}

std::unique_ptr<Schedule> make_vp(const ScheduleConfig& config) {
  const auto [start, end] = betas_of(config, {0.1, 20}, 1000);
  return std::make_unique<VpSchedule>(start, end);
}

std::unique_ptr<Schedule> make_linear(const ScheduleConfig& config) {
  const auto [start, end] = betas_of(config, {1e-4, 0.02}, 1);
  return make_discrete_schedule(linear_betas(kDiscreteSteps, start, end));
}

std::unique_ptr<Schedule> make_scaled_linear(const ScheduleConfig& config) {
  const auto [start, end] = betas_of(config, {0.00085, 0.012}, 1);
  return make_discrete_schedule(scaled_linear_betas(kDiscreteSteps, start, end));
}

std::unique_ptr<Schedule> make_cosine(const ScheduleConfig& config) {
  if (config.beta_start != 0 || config.beta_end != 0)
    fail("the cosine schedule has no beta_start and beta_end (got {} and {}): leave them at 0", config.beta_start,
         config.beta_end);
  return make_discrete_schedule(cosine_betas(kDiscreteSteps));
}

constexpr Entry<MakeSchedule> kSchedules[] = {
    {"vp", make_vp, "continuous time, beta linear from 0.1 to 20 (Song et al.; U-ViT on CIFAR-10)"},
    {"linear", make_linear, "1,000 steps, beta linear from 1e-4 to 0.02 (DDPM)"},
    {"scaled-linear", make_scaled_linear, "1,000 steps, sqrt(beta) linear (Stable Diffusion; U-ViT on MS-COCO)"},
    {"cosine", make_cosine, "1,000 steps, alpha_bar a squared cosine (Nichol and Dhariwal)"},
};

}  // namespace

double Schedule::lambda(double t) const {
  const double log = log_alpha(t);
  return log - 0.5 * std::log(-std::expm1(2 * log));
}

Tensor Schedule::sample_times(int64_t n, at::Generator& generator) const {
  if (steps() == 0) return at::rand({n}, generator, at::kDouble);
  return at::randint(1, steps() + 1, {n}, generator, at::kLong).to(at::kDouble) / static_cast<double>(steps());
}

std::span<const Entry<MakeSchedule>> schedule_kinds() {
  return kSchedules;
}

std::unique_ptr<Schedule> make_schedule(const ScheduleConfig& config) {
  return find(schedule_kinds(), config.kind, "schedule").value(config);
}

std::unique_ptr<Schedule> make_discrete_schedule(const std::vector<double>& betas) {
  return std::make_unique<DiscreteSchedule>(betas);
}

std::vector<double> linear_betas(int64_t steps, double start, double end) {
  std::vector<double> betas;
  for (int64_t i = 0; i < steps; ++i)
    betas.push_back(
        std::lerp(start, end, static_cast<double>(i) / static_cast<double>(std::max<int64_t>(steps - 1, 1))));
  return betas;
}

std::vector<double> scaled_linear_betas(int64_t steps, double start, double end) {
  std::vector<double> betas = linear_betas(steps, std::sqrt(start), std::sqrt(end));
  for (double& beta : betas) beta *= beta;
  return betas;
}

double cosine_alpha_bar(double t) {
  constexpr double s = 0.008;
  const auto f = [](double t) { return std::cos((t + s) / (1 + s) * std::numbers::pi / 2); };
  const double ratio = f(t) / f(0);
  return ratio * ratio;
}

std::vector<double> cosine_betas(int64_t steps) {
  std::vector<double> betas;
  for (int64_t n = 1; n <= steps; ++n) {
    const double after = cosine_alpha_bar(static_cast<double>(n) / static_cast<double>(steps));
    const double before = cosine_alpha_bar(static_cast<double>(n - 1) / static_cast<double>(steps));
    betas.push_back(std::min(1 - after / before, 0.999));
  }
  return betas;
}

}  // namespace uvic
