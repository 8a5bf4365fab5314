// The data distribution N(m, s^2) has its exact noise prediction in closed form, and the probability-flow ODE from it
// an exact solution: the oracle of every sampler here.
#include "diffusion/sampler.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "diffusion/inpainting.h"
#include "diffusion/samplers/dpm_solver.h"

namespace uvic::sampler_test {
namespace {

constexpr double kMean = 0.3, kDeviation = 0.5;

double marginal_deviation(const Schedule& schedule, double t) {
  return std::hypot(schedule.alpha(t) * kDeviation, schedule.sigma(t));
}

Denoiser gaussian_denoiser(const Schedule& schedule) {
  return [&schedule](const Tensor& x, double t) {
    const double deviation = marginal_deviation(schedule, t);
    return (x - schedule.alpha(t) * kMean) * (schedule.sigma(t) / (deviation * deviation));
  };
}

// Where the ODE takes x from t = 1.
Tensor exact_solution(const Schedule& schedule, const Tensor& x, double t) {
  const Tensor standard = (x - schedule.alpha(1) * kMean) / marginal_deviation(schedule, 1);
  return standard * marginal_deviation(schedule, t) + schedule.alpha(t) * kMean;
}

RandnLike noise_from(at::Generator generator) {
  return [generator](const Tensor& x) { return at::randn(x.sizes(), generator, x.options()); };
}

RandnLike no_noise() {
  return [](const Tensor&) -> Tensor { throw std::logic_error("a deterministic sampler drew noise"); };
}

Tensor start(at::IntArrayRef shape, at::ScalarType dtype = at::kDouble) {
  at::Generator generator = image_generator(11);
  return at::randn(shape, generator, dtype);
}

Tensor sample(const std::string& kind, const Schedule& schedule, const Denoiser& denoiser, const Tensor& x,
              SamplerConfig config, const RandnLike& randn_like) {
  return find(samplers(), kind, "sampler").value(denoiser, schedule, x, config, randn_like);
}

double ode_error(const std::string& kind, const Schedule& schedule, int64_t steps, double end) {
  const Tensor x = start({64, 1, 1, 1});
  const Tensor got = sample(kind, schedule, gaussian_denoiser(schedule), x, {.steps = steps}, no_noise());
  return (got - exact_solution(schedule, x, end)).abs().max().item<double>();
}

// What is known of a row beforehand.
struct Expected {
  bool noise = false;        // draws noise at eta 0
  bool eta = false;          // eta changes it
  bool clips = false;        // clip_x0 changes it
  bool keeps_noise = false;  // a step is exact where the noise that the network sees stays the same
  double order = 0;          // without noise: of convergence on a smooth schedule
  double end = 0;            // the time where it ends on a continuous schedule ...
  double discrete_end = 0;   // ... and on a discrete one
};

Expected expected(std::string_view row) {
  static const std::map<std::string_view, Expected> rows{
      {"dpm-solver", {.keeps_noise = true, .order = 3, .end = 1e-4, .discrete_end = 1e-3}},
      {"dpm-solver++", {.keeps_noise = true, .order = 3, .end = 1e-3, .discrete_end = 1e-3}},
      {"dpm-solver++2m", {.keeps_noise = true, .order = 2, .end = 1e-3, .discrete_end = 1e-3}},
      // The published third-order update weighs the second derivative by half, so it converges as the second order.
      {"dpm-solver++3m", {.keeps_noise = true, .order = 2, .end = 1e-3, .discrete_end = 1e-3}},
      {"ddim", {.eta = true, .clips = true, .keeps_noise = true, .order = 1}},
      {"euler-ode", {.order = 1}},
      {"ddpm", {.noise = true, .clips = true}},
      {"euler-maruyama", {.noise = true}}};
  const auto found = rows.find(row);
  if (found == rows.end()) throw std::logic_error(fmt::format("say here what is expected of the sampler {}", row));
  return found->second;
}

TEST(Sampler, EveryRowStartsWhereItIsTold) {
  for (const char* kind : {"vp", "scaled-linear"}) {
    const auto schedule = make_schedule({.kind = kind});
    for (const auto& row : samplers()) {
      SCOPED_TRACE(fmt::format("{} {}", kind, row.name));
      std::vector<double> calls;
      const Denoiser gaussian = gaussian_denoiser(*schedule);
      const Denoiser denoiser = [&](const Tensor& x, double t) {
        calls.push_back(t);
        return gaussian(x, t);
      };
      // From the exact marginal of that time to the exact marginal of the data.
      const Tensor x = start({20000, 1, 1, 1}) * marginal_deviation(*schedule, 0.6) + schedule->alpha(0.6) * kMean;
      const Tensor got =
          row.value(denoiser, *schedule, x, {.steps = 100, .start = 0.6}, noise_from(image_generator(1)));
      ASSERT_EQ(calls.size(), 100u);
      EXPECT_DOUBLE_EQ(calls.front(), 0.6);
      EXPECT_NEAR(got.mean().item<double>(), kMean, 0.03);
      EXPECT_NEAR(got.std().item<double>(), kDeviation, 0.03);
    }
  }
  const auto discrete = make_schedule({.kind = "linear"});
  const auto from = [&](SamplerConfig config) {
    return sample("ddim", *discrete, gaussian_denoiser(*discrete), start({1, 1, 1, 1}), config, no_noise());
  };
  EXPECT_NO_THROW(from({.steps = 100, .start = 0.1}));
  EXPECT_THROW(from({.steps = 101, .start = 0.1}), Error);  // there are only 100 times up to 0.1
  EXPECT_THROW(from({.steps = 1, .start = 0.001}), Error);
  EXPECT_THROW(from({.steps = 1, .start = 1.1}), Error);
}

TEST(Inpainting, WhatIsKnownIsTheOriginalWithTheNoiseOfEachTime) {
  const auto schedule = make_schedule({});
  const Tensor x0 = start({1, 2, 4, 4}) * 0.3, eps = at::randn({1, 2, 4, 4}, image_generator(2), at::kDouble);
  Tensor known = at::zeros({1, 1, 4, 4}, at::kBool);
  known.narrow(2, 0, 2).fill_(true);
  const Denoiser gaussian = gaussian_denoiser(*schedule);
  for (const auto& row : samplers()) {
    const std::string kind(row.name);
    if (!expected(kind).keeps_noise) continue;
    const Denoiser watched = [&](const Tensor& x, double t) {
      const Tensor expected = x0 * schedule->alpha(t) + eps * schedule->sigma(t);
      EXPECT_LT(((x - expected).abs() * known).max().item<double>(), 1e-9) << kind << " at " << t;
      return gaussian(x, t);
    };
    const Tensor x = x0 * schedule->alpha(1) + eps * schedule->sigma(1);
    const Tensor got = sample(kind, *schedule, keep_known(watched, *schedule, x0, known), x, {.steps = 12}, no_noise());
    EXPECT_LT(((got - x0).abs() * known).max().item<double>(), 0.05) << kind;  // the noise of the last time
    EXPECT_GT(((got - x0).abs() * known.logical_not()).max().item<double>(), 0.1) << kind;
  }
}

TEST(Sampler, EveryRowCallsTheNetworkExactlyStepsTimes) {
  for (const auto& kind : schedule_kinds()) {
    const auto schedule = make_schedule({.kind = std::string(kind.name)});
    for (const auto& row : samplers())
      for (const int64_t steps : {1, 2, 3, 4, 5, 9, 10, 11, 50, 1000}) {
        SCOPED_TRACE(fmt::format("{} {} {}", kind.name, row.name, steps));
        std::vector<double> calls;
        const Denoiser gaussian = gaussian_denoiser(*schedule);
        const Denoiser denoiser = [&](const Tensor& x, double t) {
          calls.push_back(t);
          return gaussian(x, t);
        };
        const Tensor x = start({2, 1, 1, 1}, at::kFloat);
        const Tensor got = row.value(denoiser, *schedule, x, {.steps = steps}, noise_from(image_generator(1)));
        ASSERT_EQ(static_cast<int64_t>(calls.size()), steps);
        EXPECT_EQ(calls.front(), 1);  // where the noise is
        EXPECT_GT(calls.back(), 0);
        for (size_t i = 1; i < calls.size(); ++i) ASSERT_LT(calls[i], calls[i - 1]);
        EXPECT_EQ(got.scalar_type(), at::kFloat);
        EXPECT_EQ(got.sizes(), x.sizes());
        EXPECT_TRUE(at::isfinite(got).all().item<bool>());
      }
  }
}

TEST(Sampler, EveryRowRunsOnEveryScheduleAndPrediction) {
  for (const auto& kind : schedule_kinds()) {
    const auto schedule = make_schedule({.kind = std::string(kind.name)});
    const double per_network_time = 1 / schedule->network_time(1);
    for (const auto& row : samplers()) {
      std::vector<Tensor> images;
      for (const auto& prediction : prediction_kinds()) {
        const Denoiser noise_of = gaussian_denoiser(*schedule);
        const Network network = [&](const Tensor& x, const Tensor& time) -> Tensor {
          const double t = time[0].item<double>() * per_network_time;
          const double alpha = schedule->alpha(t), sigma = schedule->sigma(t);
          const Tensor eps = noise_of(x, t), x0 = (x - sigma * eps) / alpha;
          if (prediction.name == "eps") return eps;
          if (prediction.name == "x0") return x0;
          if (prediction.name == "v") return alpha * eps - sigma * x0;
          throw std::logic_error(fmt::format("say here what a network outputs that predicts {}", prediction.name));
        };
        images.push_back(row.value(make_denoiser(network, *schedule, std::string(prediction.name)), *schedule,
                                   start({2, 3, 2, 2}), {.steps = 7}, noise_from(image_generator(2))));
      }
      for (const Tensor& image : images)
        EXPECT_TRUE(at::allclose(image, images[0], 1e-6, 1e-8)) << kind.name << ' ' << row.name;
    }
  }
}

// Errors fall by 2^order each time that the steps double, as they do only on the way to the exact solution. A discrete
// schedule's rate jumps from time to time, so there they only have to be small.
TEST(Sampler, DeterministicRowsSolveTheOde) {
  const auto vp = make_schedule({}), linear = make_schedule({.kind = "linear"});
  for (const auto& row : samplers()) {
    const std::string kind(row.name);
    const Expected known = expected(kind);
    if (known.noise) continue;
    const double order = std::log2(ode_error(kind, *vp, 50, known.end) / ode_error(kind, *vp, 800, known.end)) / 4;
    EXPECT_NEAR(order, known.order, 0.5) << kind;
    EXPECT_LT(ode_error(kind, *vp, 1000, known.end), 0.01 * kDeviation) << kind;
    EXPECT_LT(ode_error(kind, *linear, 1000, known.discrete_end), 0.03 * kDeviation) << kind;
  }
}

// log2 of the ratio of the errors at n and 2n intervals, even in lambda.
template <class Solve>
double observed_order(const Solve& solve) {
  const auto vp = make_schedule({});
  const Tensor x = start({64, 1, 1, 1});
  const auto error = [&](int64_t n) {
    const std::vector<double> grid = uniform_lambda_times(*vp, 1, 1e-3, n);
    return (solve(*vp, x, grid) - exact_solution(*vp, x, 1e-3)).abs().max().template item<double>();
  };
  return std::log2(error(64) / error(128));
}

TEST(Sampler, SolversHaveTheirOrderOfConvergence) {
  for (const Predict predict : {Predict::kNoise, Predict::kData})
    for (const int64_t order : {1, 2, 3}) {
      SCOPED_TRACE(fmt::format("{} order {}", predict == Predict::kNoise ? "noise" : "data", order));
      EXPECT_NEAR(observed_order([&](const Schedule& schedule, const Tensor& x, const std::vector<double>& grid) {
                    const auto plan = plan_by_lambda(schedule, grid, std::vector<int64_t>(grid.size() - 1, order));
                    return solve_singlestep(gaussian_denoiser(schedule), schedule, x, plan, predict);
                  }),
                  order, 0.35);
      // The published third-order update weighs the second derivative by half, so it converges as the second order
      // does, with a smaller constant.
      EXPECT_NEAR(observed_order([&](const Schedule& schedule, const Tensor& x, const std::vector<double>& grid) {
                    return solve_multistep(gaussian_denoiser(schedule), schedule, x, grid, order, predict);
                  }),
                  std::min<int64_t>(order, 2), 0.35);
    }
  const auto vp = make_schedule({});
  EXPECT_NEAR(std::log2(ode_error("ddim", *vp, 250, 0) / ode_error("ddim", *vp, 500, 0)), 1, 0.2);
}

TEST(Sampler, FirstOrderOfEitherPredictionIsDdim) {
  const auto schedule = make_schedule({.kind = "scaled-linear"});
  const Tensor x = start({8, 1, 1, 1});
  const Denoiser denoiser = gaussian_denoiser(*schedule);
  // One step of ddim from 1 goes to 0, where its image is the predicted one; so compare data prediction at the end
  // time.
  const Tensor noise = solve_singlestep(denoiser, *schedule, x, {{1, {}, 0.5}, {0.5, {}, 0.25}}, Predict::kNoise);
  const Tensor data = solve_singlestep(denoiser, *schedule, x, {{1, {}, 0.5}, {0.5, {}, 0.25}}, Predict::kData);
  const Tensor multi = solve_multistep(denoiser, *schedule, x, {1, 0.5, 0.25}, 1, Predict::kData);
  EXPECT_TRUE(at::allclose(noise, data, 1e-12));
  EXPECT_TRUE(at::allclose(multi, data, 1e-12));
}

TEST(Sampler, StochasticRowsHaveTheDataMoments) {
  const auto vp = make_schedule({}), linear = make_schedule({.kind = "linear"});
  std::vector<std::pair<std::string, double>> stochastic;
  for (const auto& row : samplers()) {
    if (expected(row.name).noise) stochastic.emplace_back(row.name, 0);
    if (expected(row.name).eta)
      stochastic.insert(stochastic.end(), {{std::string(row.name), 0.5}, {std::string(row.name), 1}});
  }
  for (const auto& [kind, eta] : stochastic)
    for (const auto* schedule : {vp.get(), linear.get()}) {
      SCOPED_TRACE(fmt::format("{} eta {} on {} steps", kind, eta, schedule->steps()));
      const Tensor got = sample(kind, *schedule, gaussian_denoiser(*schedule), start({20000, 1, 1, 1}),
                                {.steps = 250, .eta = eta}, noise_from(image_generator(5)));
      EXPECT_NEAR(got.mean().item<double>(), kMean, 0.015);  // standard error 0.0035
      // The small reverse variance of ddpm is exact for a point, so finite steps end a little narrow.
      EXPECT_NEAR(got.std().item<double>(), kDeviation, 0.025);
    }
}

TEST(Sampler, DdimWithEtaOneIsDdpm) {
  for (const char* kind : {"vp", "linear"})
    for (const bool clip : {false, true}) {
      const auto schedule = make_schedule({.kind = kind});
      const Denoiser denoiser = gaussian_denoiser(*schedule);
      const Tensor x = start({16, 1, 1, 1}) * 2;  // images beyond [-1, 1] among them
      const auto run = [&](const char* sampler, bool clip) {
        return sample(sampler, *schedule, denoiser, x, {.steps = 20, .eta = 1, .clip_x0 = clip},
                      noise_from(image_generator(7)));
      };
      EXPECT_TRUE(at::allclose(run("ddim", clip), run("ddpm", clip), 1e-9, 1e-9)) << kind << ' ' << clip;
      EXPECT_FALSE(at::allclose(run("ddpm", true), run("ddpm", false), 1e-9, 1e-9)) << kind;
    }
}

TEST(Sampler, ClippedImagesStayInRange) {
  const auto schedule = make_schedule({.kind = "linear"});
  const Denoiser blind = [](const Tensor& x, double) { return at::zeros_like(x); };
  for (const auto& row : samplers()) {
    const auto largest = [&](bool clip) {
      return row
          .value(blind, *schedule, start({4, 3, 2, 2}), {.steps = 10, .clip_x0 = clip}, noise_from(image_generator(1)))
          .abs()
          .max()
          .item<double>();
    };
    const double unclipped = largest(false);
    EXPECT_GT(unclipped, 10) << row.name;
    if (expected(row.name).clips)
      EXPECT_LE(largest(true), 1) << row.name;
    else
      EXPECT_EQ(largest(true), unclipped) << row.name;
  }
}

TEST(Sampler, NoiseDecidesTheStochasticRowsAndNoOthers) {
  const auto schedule = make_schedule({.kind = "cosine"});
  for (const auto& row : samplers()) {
    const bool stochastic = expected(row.name).noise;
    const auto run = [&](const RandnLike& randn_like, double eta) {
      return row.value(gaussian_denoiser(*schedule), *schedule, start({2, 3, 4, 4}, at::kFloat),
                       {.steps = 8, .eta = eta}, randn_like);
    };
    const Tensor image = run(stochastic ? noise_from(image_generator(1)) : no_noise(), 0);
    EXPECT_TRUE(at::equal(image, run(noise_from(image_generator(1)), 0))) << row.name;
    EXPECT_EQ(!stochastic, at::equal(image, run(noise_from(image_generator(2)), 0))) << row.name;
    EXPECT_EQ(!expected(row.name).eta, at::equal(image, run(noise_from(image_generator(1)), 1))) << row.name;
  }
}

TEST(Sampler, AnImageDoesNotDependOnItsBatch) {
  const auto schedule = make_schedule({});
  const Tensor x = start({3, 3, 4, 4}, at::kFloat);
  for (const auto& row : samplers()) {
    const auto run = [&](int64_t first, int64_t count) {
      std::vector<at::Generator> generators;
      for (int64_t i = first; i < first + count; ++i) generators.push_back(image_generator(100 + i));
      const RandnLike randn_like = [&](const Tensor& x) {
        std::vector<Tensor> noise;
        for (auto& generator : generators) noise.push_back(at::randn(x[0].sizes(), generator));
        return at::stack(noise);
      };
      return row.value(gaussian_denoiser(*schedule), *schedule, x.slice(0, first, first + count), {.steps = 12},
                       randn_like);
    };
    const Tensor together = run(0, 3);
    for (int64_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(run(i, 1)[0], together[i])) << row.name << ' ' << i;
  }
}

TEST(Sampler, OrdersOfTheFastSolversAddUpToTheSteps) {
  EXPECT_EQ(fast_orders(1), (std::vector<int64_t>{1}));
  EXPECT_EQ(fast_orders(2), (std::vector<int64_t>{2}));
  EXPECT_EQ(fast_orders(3), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(fast_orders(9), (std::vector<int64_t>{3, 3, 2, 1}));
  EXPECT_EQ(fast_orders(10), (std::vector<int64_t>{3, 3, 3, 1}));
  std::vector<int64_t> fifty(16, 3);
  fifty.push_back(2);
  EXPECT_EQ(fast_orders(50), fifty);
}

TEST(Sampler, ErrorsNameTheMistake) {
  const auto vp = make_schedule({}), linear = make_schedule({.kind = "linear"});
  const auto error_of = [](const std::string& kind, const Schedule& schedule,
                           const SamplerConfig& config) -> std::string {
    try {
      sample(kind, schedule, gaussian_denoiser(schedule), start({1, 1, 1, 1}), config, noise_from(image_generator(1)));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  for (const auto& row : samplers()) {
    const std::string kind(row.name);
    EXPECT_EQ(error_of(kind, *vp, {.steps = 0}), "cannot sample in 0 steps: expected at least 1") << kind;
    EXPECT_EQ(error_of(kind, *linear, {.steps = 1001}), "cannot sample in 1001 steps: the schedule has only 1000")
        << kind;
    EXPECT_EQ(error_of(kind, *vp, {.steps = 1001}), "no error") << kind;
  }
  EXPECT_NE(error_of("ddim", *vp, {.eta = 1.5}).find("eta is 1.5"), std::string::npos);
  EXPECT_NE(error_of("ddim", *vp, {.eta = -0.5}).find("eta is -0.5"), std::string::npos);
  EXPECT_NE(error_of("plms", *vp, {}).find("unknown sampler 'plms': expected one of dpm-solver,"), std::string::npos);
}

}  // namespace
}  // namespace uvic::sampler_test
