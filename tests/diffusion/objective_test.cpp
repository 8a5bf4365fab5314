#include "diffusion/objective.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "diffusion/guidance.h"

namespace uvic::objective_test {
namespace {

struct Example {
  std::unique_ptr<Schedule> schedule = make_schedule({.kind = "scaled-linear"});
  at::Generator generator = image_generator(1);
  Tensor x0 = at::randn({4, 3, 2, 2}, generator, at::kDouble);
  Tensor eps = at::randn({4, 3, 2, 2}, generator, at::kDouble);
  Tensor t = at::tensor({0.001, 0.2, 0.7, 1.0}, at::kDouble);

  Tensor scalars(double (Schedule::*f)(double) const) const {
    std::vector<double> values;
    for (int64_t i = 0; i < t.size(0); ++i) values.push_back((*schedule.*f)(t[i].item<double>()));
    return at::tensor(values, at::kDouble).view({-1, 1, 1, 1});
  }
  Tensor alpha() const { return scalars(&Schedule::alpha); }
  Tensor sigma() const { return scalars(&Schedule::sigma); }

  // What a network of this kind says if it takes the image for `x0`: the x_t is the true one.
  Tensor output(const std::string& prediction, const Tensor& guess) const {
    const Tensor xt = alpha() * x0 + sigma() * eps;
    const Tensor noise = (xt - alpha() * guess) / sigma();
    if (prediction == "eps") return noise;
    return prediction == "x0" ? guess : alpha() * noise - sigma() * guess;
  }
  Tensor loss(const ObjectiveConfig& config, const Tensor& output) const {
    return diffusion_loss([&](const Tensor&, const Tensor&) { return output; }, *schedule, config, x0, t, eps);
  }
};

TEST(Objective, ExactPredictionHasNoLoss) {
  const Example e;
  for (const auto& prediction : prediction_kinds())
    for (const auto& weighting : weighting_kinds()) {
      SCOPED_TRACE(fmt::format("{} {}", prediction.name, weighting.name));
      const ObjectiveConfig config{std::string(prediction.name), std::string(weighting.name)};
      const Tensor loss = e.loss(config, e.output(config.prediction, e.x0));
      EXPECT_EQ(loss.sizes(), at::IntArrayRef({4}));
      EXPECT_LT(loss.max().item<double>(), 1e-20);
      EXPECT_GT(e.loss(config, e.output(config.prediction, e.x0 + 0.1)).min().item<double>(), 1e-5);
    }
}

TEST(Objective, SimpleLossIsTheMeanSquareOfTheTarget) {
  const Example e;
  const auto expect = [&](const char* prediction, const Tensor& target) {
    const Tensor loss = e.loss({.prediction = prediction}, at::zeros_like(e.x0));
    EXPECT_TRUE(at::allclose(loss, target.square().mean({1, 2, 3}), 1e-12)) << prediction;
  };
  expect("eps", e.eps);
  expect("x0", e.x0);
  expect("v", e.alpha() * e.eps - e.sigma() * e.x0);
}

// The clipped weightings weigh the error of the image alike, whatever quantity expresses it.
TEST(Objective, MinSnrMeansTheSameForEveryPrediction) {
  const Example e;
  const Tensor guess = e.x0 + 0.3 * e.eps;
  const Tensor clipped = (e.alpha() / e.sigma()).square().flatten().clamp_max(2.0);
  const std::pair<const char*, Tensor> weights[] = {{"min-snr", clipped}, {"min-snr-v", clipped + 1}};
  for (const auto& [weighting, weight] : weights)
    for (const auto& prediction : prediction_kinds()) {
      const ObjectiveConfig config{std::string(prediction.name), weighting, 2.0};
      const Tensor expected = weight * (guess - e.x0).square().mean({1, 2, 3});
      EXPECT_TRUE(at::allclose(e.loss(config, e.output(config.prediction, guess)), expected, 1e-9))
          << weighting << " " << prediction.name;
    }
}

// Without the clip it is the plain loss of v.
TEST(Objective, MinSnrVIsTheLossOfVUnclipped) {
  const Example e;
  const Tensor guess = e.x0 + 0.3 * e.eps;
  const Tensor plain = e.loss({"v", "simple", 5.0}, e.output("v", guess));
  const Tensor weighted = e.loss({"x0", "min-snr-v", 1e12}, guess);
  EXPECT_TRUE(at::allclose(weighted, plain, 1e-9));
}

TEST(Objective, MinSnrWeightsArePublishedOnes) {
  const Weighting weight = find(weighting_kinds(), "min-snr", "weighting").value;
  const auto at_snr = [&](const char* prediction, double snr) {
    return weight(find(prediction_kinds(), prediction, "prediction").value, std::sqrt(snr / (snr + 1)),
                  std::sqrt(1 / (snr + 1)), 5);
  };
  EXPECT_NEAR(at_snr("eps", 20), 5.0 / 20, 1e-12);
  EXPECT_NEAR(at_snr("eps", 3), 1, 1e-12);
  EXPECT_NEAR(at_snr("x0", 20), 5, 1e-12);
  EXPECT_NEAR(at_snr("x0", 3), 3, 1e-12);
  EXPECT_NEAR(at_snr("v", 20), 5.0 / 21, 1e-12);
  EXPECT_NEAR(at_snr("v", 3), 3.0 / 4, 1e-12);
  // At t = 0 the ratio is infinite.
  EXPECT_EQ(weight(find(prediction_kinds(), "eps", "prediction").value, 1, 0, 5), 0);
  EXPECT_EQ(weight(find(prediction_kinds(), "x0", "prediction").value, 1, 0, 5), 5);
}

TEST(Objective, NetworkSeesTheNoisyImageAndItsTime) {
  const Example e;
  Tensor seen_x, seen_time;
  const Network network = [&](const Tensor& x, const Tensor& time) {
    seen_x = x;
    seen_time = time;
    return at::zeros_like(x);
  };
  diffusion_loss(network, *e.schedule, {}, e.x0.to(at::kFloat), e.t, e.eps.to(at::kFloat));
  EXPECT_TRUE(at::allclose(seen_x, (e.alpha() * e.x0 + e.sigma() * e.eps).to(at::kFloat), 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(seen_time, at::tensor({1.f, 200.f, 700.f, 1000.f})));
}

TEST(Objective, LowPrecisionNetworkHasAFloatLossWithGradient) {
  const Example e;
  const Tensor weight = at::ones({1}).requires_grad_();
  const Tensor x0 = e.x0.to(at::kFloat);
  const Network network = [&](const Tensor& x, const Tensor&) { return (x * weight).to(at::kBFloat16); };
  const Tensor loss = diffusion_loss(network, *e.schedule, {}, x0, e.t, e.eps.to(at::kFloat));
  EXPECT_EQ(loss.scalar_type(), at::kFloat);
  loss.mean().backward();
  EXPECT_GT(weight.grad().abs().item<float>(), 0);
}

TEST(Objective, DenoiserTurnsEveryPredictionIntoNoise) {
  const Example e;
  const double t = 0.4;
  const double alpha = e.schedule->alpha(t), sigma = e.schedule->sigma(t);
  const Tensor xt = alpha * e.x0 + sigma * e.eps;
  const std::map<std::string, Tensor> outputs{{"eps", e.eps}, {"x0", e.x0}, {"v", alpha * e.eps - sigma * e.x0}};
  for (const auto& prediction : prediction_kinds()) {
    const std::string name(prediction.name);
    const Tensor gain = at::ones({1}, at::kDouble).requires_grad_();
    Tensor seen;
    const Network network = [&](const Tensor&, const Tensor& time) {
      seen = time;
      return outputs.at(name) * gain;
    };
    const Tensor eps = make_denoiser(network, *e.schedule, name)(xt, t);
    EXPECT_TRUE(at::allclose(eps, e.eps, 1e-10, 1e-10)) << name;
    EXPECT_FALSE(eps.requires_grad()) << name;
    EXPECT_TRUE(at::allclose(seen, at::full({4}, 400.0, at::kDouble))) << name;
  }
}

TEST(Objective, ErrorsNameTheMistake) {
  const Example e;
  const auto error_of = [&](const ObjectiveConfig& config) -> std::string {
    try {
      e.loss(config, e.x0);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error_of({.prediction = "epsilon"}), "unknown prediction 'epsilon': expected one of eps, x0, v");
  EXPECT_EQ(error_of({.weighting = "snr"}), "unknown weighting 'snr': expected one of simple, min-snr, min-snr-v");
  EXPECT_NE(error_of({.snr_gamma = 0}).find("snr_gamma is 0"), std::string::npos);
  EXPECT_THROW(make_denoiser({}, *e.schedule, "noise"), Error);
}

TEST(Guidance, ScaleOneIsConditionalAndZeroUnconditional) {
  const Tensor cond = at::tensor({1.0, 5.0}), uncond = at::tensor({0.0, 7.0});
  EXPECT_TRUE(at::equal(guide(cond, uncond, 1), cond));
  EXPECT_TRUE(at::equal(guide(cond, uncond, 0), uncond));
  EXPECT_TRUE(at::allclose(guide(cond, uncond, 3), at::tensor({3.0, 1.0})));
}

}  // namespace
}  // namespace uvic::objective_test
