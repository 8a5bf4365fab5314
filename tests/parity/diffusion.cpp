// Schedules, single DDPM and DDIM steps, and whole solver runs with a linear "network", in double precision; the
// solvers in single precision as well.
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "diffusion/guidance.h"
#include "diffusion/samplers/ancestral.h"
#include "diffusion/samplers/dpm_solver.h"
#include "diffusion/samplers/kinds.h"
#include "tests/parity/case.h"

namespace uvic::parity {
namespace {

using nlohmann::json;

constexpr double kExact = 1e-10;  // of what is computed in double from double

Tensor in_double(const Case& c, const std::string& key) {
  return c.at(key).to(at::kDouble);
}

std::vector<double> list_of(const Tensor& tensor) {
  const Tensor values = tensor.to(at::kDouble).contiguous();
  return {values.const_data_ptr<double>(), values.const_data_ptr<double>() + values.numel()};
}

// f at each value, [n] float64.
template <class F>
Tensor each(const std::vector<double>& values, const F& f) {
  std::vector<double> results;
  for (const double value : values) results.push_back(f(value));
  return at::tensor(results, at::kDouble);
}

Tensor rows(const Tensor& scalars) {
  return scalars.view({-1, 1, 1, 1});
}

// A value of the case's tolerance object if it has one.
double tolerance_of(const Case& c, const std::string& key, double otherwise) {
  const json& tolerance = c.entry.at("tolerance");
  return tolerance.is_object() && tolerance.contains(key) ? tolerance.at(key).get<double>() : otherwise;
}

std::unique_ptr<Schedule> stable_diffusion() {
  return make_schedule({.kind = "scaled-linear"});
}

// --- solvers ---------------------------------------------------------------------------------------------------------

// The reference's network a x + b t + c at network time t.
Tensor linear_network(const json& line, const Tensor& x, double time) {
  return x * line.at("a").get<double>() + (line.at("b").get<double>() * time + line.value("c", 0.0));
}

struct SolverRun {
  const json& config;
  Tensor x;                   // at t = 1
  Tensor noise;               // [steps, ...] of the SDE, else undefined
  std::vector<double> calls;  // what the reference recorded as time of each network call
  Tensor x0;
};

void solve(SolverRun& run) {
  const json& config = run.config;
  const auto algorithm = config.at("algo").get<std::string>();
  const auto steps = config.at("steps").get<int64_t>();
  const bool continuous = algorithm == "uvit_dpm_fast_linear" || algorithm.starts_with("em_");
  const auto schedule = continuous ? make_schedule({}) : stable_diffusion();

  const auto denoiser = [&](const Tensor& x, double t) {
    double time = continuous ? 999 * t : 1000 * t;
    if (algorithm == "lu_multistep") time = 1000 * t - 1;
    run.calls.push_back(algorithm == "lu_multistep" ? time : t);
    const Tensor cond = linear_network(config.at("cond"), x, time);
    if (!config.contains("uncond")) return cond;
    return guide(cond, linear_network(config.at("uncond"), x, time), 1 + config.at("cfg_scale").get<double>());
  };
  int64_t drawn = 0;
  const auto randn_like = [&](const Tensor& x) { return run.noise[drawn++].to(x.scalar_type()); };
  const SamplerConfig settings{.steps = steps};
  expect_options(config, {"name", "algo", "steps", "cond", "uncond", "cfg_scale", "order", "method", "skip_type",
                          "algorithm_type"});
  expect_value(config, "skip_type", {"time_uniform", "logSNR"});
  expect_value(config, "algorithm_type", {"dpmsolver++", "dpmsolver"});

  if (algorithm == "uvit_dpmpp_fast" && config.value("method", "fast") == "fast") {
    expect_value(config, "order", {3});
    expect_value(config, "skip_type", {"time_uniform"});
    expect_value(config, "algorithm_type", {"dpmsolver++"});
    run.x0 = sample_dpm_solver_pp(denoiser, *schedule, run.x, settings, randn_like);
  } else if (algorithm == "uvit_dpmpp_fast") {
    expect_value(config, "method", {"singlestep"});
    expect_value(config, "order", {1, 2, 3});
    expect_value(config, "skip_type", {"time_uniform"});
    expect_value(config, "algorithm_type", {"dpmsolver++"});
    const auto order = config.at("order").get<int64_t>();
    if (steps % order != 0) fail("unknown option: {} steps of order {}, which leave a rest", steps, order);
    const std::vector<double> grid = uniform_times(1, 1e-3, steps / order);
    const std::vector<int64_t> orders(steps / order, order);
    run.x0 = solve_singlestep(denoiser, *schedule, run.x, plan_by_lambda(*schedule, grid, orders), Predict::kData);
  } else if (algorithm == "uvit_dpm_fast_linear") {
    expect_value(config, "method", {"fast"});
    expect_value(config, "order", {3});
    expect_value(config, "skip_type", {"logSNR"});
    expect_value(config, "algorithm_type", {"dpmsolver"});
    run.x0 = sample_dpm_solver(denoiser, *schedule, run.x, settings, randn_like);
  } else if (algorithm == "lu_multistep") {
    expect_value(config, "method", {"multistep"});
    expect_value(config, "order", {1, 2, 3});
    const auto skip = config.at("skip_type").get<std::string>();
    const auto grid =
        skip == "logSNR" ? uniform_lambda_times(*schedule, 1, 1e-3, steps) : uniform_times(1, 1e-3, steps);
    const bool data = config.value("algorithm_type", "dpmsolver++") == "dpmsolver++";
    run.x0 = solve_multistep(denoiser, *schedule, run.x, grid, config.at("order").get<int64_t>(),
                             data ? Predict::kData : Predict::kNoise);
  } else if (algorithm == "em_sde") {
    run.x0 = sample_euler_maruyama(denoiser, *schedule, run.x, settings, randn_like);
  } else if (algorithm == "em_ode") {
    run.x0 = sample_euler_ode(denoiser, *schedule, run.x, settings, randn_like);
  } else {
    fail("unknown option 'algo' = {}", algorithm);
  }
}

}  // namespace

void solver_case(const Case& c, Report& report) {
  const double tolerance = tolerance_of(c, "x0_relmax_if_schedule_in_float64", 1e-5);
  for (const json& config : c.config().at("subcases")) {
    const auto name = config.at("name").get<std::string>();
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
      SolverRun run{.config = config, .x = c.at("in." + name + ".x_T").to(dtype), .noise = {}, .calls = {}, .x0 = {}};
      if (c.has("in." + name + ".noise")) run.noise = c.at("in." + name + ".noise");
      solve(run);
      report.relmax(name + (dtype == at::kFloat ? " in float32" : ""), run.x0, c.at("out." + name + ".x0"), tolerance);
      const std::string times = "out." + name + ".model_call_t_continuous_or_input";
      if (c.has(times)) report.relmax(name + " call times", at::tensor(run.calls, at::kDouble), c.at(times), 1e-9);
    }
  }
}

void steps_case(const Case& c, Report& report) {
  for (const json& config : c.config().at("subcases")) {
    const auto name = config.at("name").get<std::string>();
    const auto algorithm = config.at("algo").get<std::string>();
    const auto n = config.at("N").get<int64_t>();
    const auto start = config.at("beta_start").get<double>(), end = config.at("beta_end").get<double>();
    const auto shape = config.at("beta_schedule").get<std::string>();
    expect_options(config, {"name", "algo", "variance_type", "eta", "N", "beta_start", "beta_end", "beta_schedule",
                            "inference_steps", "steps_offset", "set_alpha_to_one", "timesteps"});
    expect_value(config, "algo", {"ddpm", "ddim"});
    expect_value(config, "beta_schedule", {"linear", "scaled_linear"});
    expect_value(config, "variance_type", {"fixed_small", "fixed_large"});
    const auto schedule =
        make_discrete_schedule(shape == "linear" ? linear_betas(n, start, end) : scaled_linear_betas(n, start, end));
    const auto time_of = [n](int64_t index) { return static_cast<double>(index + 1) / static_cast<double>(n); };

    std::vector<double> all;
    for (int64_t i = 0; i < n; ++i) all.push_back(time_of(i));
    const Tensor alpha_bar = each(all, [&](double t) { return schedule->alpha_bar(t); });
    report.relmax(name + " alpha_bar", alpha_bar, c.at("out." + name + ".alphas_cumprod_f64"), kExact);

    const auto timesteps = config.at("timesteps").get<std::vector<int64_t>>();
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
      std::vector<Tensor> previous;
      for (size_t i = 0; i < timesteps.size(); ++i) {
        const auto row = [&](const char* key) { return c.at("in." + name + key)[static_cast<int64_t>(i)].to(dtype); };
        const auto randn_like = [&](const Tensor&) { return row(".noise"); };
        const double t = time_of(timesteps[i]);
        if (algorithm == "ddpm") {
          const bool large = config.at("variance_type") == "fixed_large";
          previous.push_back(ddpm_step(*schedule, row(".x_t"), row(".eps"), t, time_of(timesteps[i] - 1),
                                       large ? Variance::kLarge : Variance::kSmall, false, randn_like));
        } else {
          // Below its first time step the reference either is at the clean image or stays at that step.
          const int64_t below = timesteps[i] - n / config.at("inference_steps").get<int64_t>();
          const double s = below >= 0 ? time_of(below) : config.at("set_alpha_to_one").get<bool>() ? 0 : time_of(0);
          const auto eta = config.at("eta").get<double>();
          previous.push_back(ddim_step(*schedule, row(".x_t"), row(".eps"), t, s, eta, false, randn_like));
        }
      }
      const double tolerance = c.entry.at("tolerance").at("prev_relmax").at(name).get<double>();
      report.relmax(name + (dtype == at::kFloat ? " in float32" : ""), at::stack(previous),
                    c.at("out." + name + ".prev"), dtype == at::kFloat ? tolerance : 1e-8);
    }
  }
}

void sd_schedule_case(const Case& c, Report& report) {
  const double exact = tolerance_of(c, "f64", kExact);
  const int64_t n = c.at("out.sd_betas").numel();
  const std::vector<double> betas = scaled_linear_betas(n, 0.00085, 0.012);
  const auto schedule = make_discrete_schedule(betas);
  const auto time_of = [n](double index) { return index / static_cast<double>(n); };
  std::vector<double> all;
  for (int64_t i = 0; i <= n; ++i) all.push_back(time_of(static_cast<double>(i)));

  report.relmax("betas", at::tensor(betas, at::kDouble), c.at("out.sd_betas"), exact);
  const Tensor bars = each(all, [&](double t) { return schedule->alpha_bar(t); });
  const Tensor variances = each(all, [&](double t) { return std::pow(schedule->sigma(t), 2); });
  report.relmax("alpha_bar", bars.slice(0, 1), c.at("out.sd_alphas_cumprod"), exact);
  report.relmax("alpha_bar from 0", bars, c.at("out.cum_alphas_1001"), exact);
  report.relmax("sigma^2 from 0", variances, c.at("out.cum_betas_1001"), exact);
  const Tensor rates = each({all.begin() + 1, all.end()}, [&](double t) { return schedule->beta(t); });
  report.relmax("beta(t)", rates / static_cast<double>(n), c.at("out.sd_betas"), exact);

  const Tensor t = c.at("in.t"), s = c.at("in.s");
  const Tensor skip_alpha = bars.index_select(0, t) / bars.index_select(0, s);
  const Tensor alpha_bar = bars.index_select(0, t), variance = variances.index_select(0, t);
  report.relmax("skip alpha", skip_alpha, c.at("out.skip_alpha"), exact);
  report.relmax("skip beta", 1 - skip_alpha, c.at("out.skip_beta"), exact);
  report.relmax("posterior variance", (1 - skip_alpha) * variances.index_select(0, s) / variance,
                c.at("out.tilde_beta"), exact);
  report.relmax("snr", alpha_bar / variance, c.at("out.snr"), exact);
  const Tensor xn = rows(alpha_bar.sqrt()) * c.at("in.x0") + rows(variance.sqrt()) * c.at("in.noise");
  report.relmax("x_n", xn, c.at("out.xn"), 1e-6);

  const auto vp = make_schedule({});
  const std::vector<double> times = list_of(c.at("in.t_cont"));
  for (const auto& [name, kind] : {std::pair{"discrete", schedule.get()}, {"linear", vp.get()}}) {
    const std::string out = std::string("out.nsvp_") + name + ".f64.";
    const Tensor lambda = each(times, [&](double t) { return kind->lambda(t); });
    report.relmax(out + "log_alpha", each(times, [&](double t) { return kind->log_alpha(t); }), c.at(out + "log_alpha"),
                  exact);
    report.relmax(out + "std", each(times, [&](double t) { return kind->sigma(t); }), c.at(out + "std"), exact);
    report.relmax(out + "lambda", lambda, c.at(out + "lambda"), exact);
    report.absmax(out + "inverse_lambda", each(list_of(lambda), [&](double l) { return kind->inverse_lambda(l); }),
                  c.at(out + "inverse_lambda"), kExact);
  }
}

void vpsde_case(const Case& c, Report& report) {
  const auto vp = make_schedule({});
  const std::vector<double> times = list_of(c.at("in.t")), earlier = list_of(c.at("in.s"));
  const Tensor x0 = in_double(c, "in.x0"), noise = in_double(c, "in.noise"), pred = in_double(c, "in.pred");

  // alpha_bar, sigma^2 and beta at `times` against the outputs under this prefix.
  const auto compare = [&](const std::string& out, const Tensor& bar, const Tensor& variance, const Tensor& beta) {
    report.relmax(out + "cum_alpha", bar, c.at(out + "cum_alpha"), kExact);
    report.relmax(out + "cum_beta", variance, c.at(out + "cum_beta"), kExact);
    report.relmax(out + "snr", bar / variance, c.at(out + "snr"), kExact);
    report.relmax(out + "nsr", variance / bar, c.at(out + "nsr"), kExact);
    report.relmax(out + "mean", rows(bar.sqrt()) * x0, c.at(out + "mean"), kExact);
    report.relmax(out + "std", variance.sqrt(), c.at(out + "std"), kExact);
    report.relmax(out + "xt", rows(bar.sqrt()) * x0 + rows(variance.sqrt()) * noise, c.at(out + "xt"), kExact);
    report.relmax(out + "drift", rows(beta) * x0 * -0.5, c.at(out + "drift"), kExact);
    report.relmax(out + "diffusion", beta.sqrt(), c.at(out + "diffusion"), kExact);
  };
  const Tensor sigma = each(times, [&](double t) { return vp->sigma(t); });
  const Tensor bar = each(times, [&](double t) { return vp->alpha_bar(t); });
  compare("out.vp.", bar, sigma.square(), each(times, [&](double t) { return vp->beta(t); }));

  // The continuous form of the cosine schedule; beta = -d log alpha_bar / dt.
  const Tensor cosine = each(times, cosine_alpha_bar);
  compare("out.cos.", cosine, 1 - cosine, each(times, [](double t) {
            return std::numbers::pi / 1.008 * std::tan((t + 0.008) / 1.008 * std::numbers::pi / 2);
          }));

  const Tensor bar_s = each(earlier, [&](double s) { return vp->alpha_bar(s); });
  report.relmax("skip alpha", bar / bar_s, c.at("out.vp.skip_alpha_s_t"), kExact);
  report.relmax("skip beta", 1 - bar / bar_s, c.at("out.vp.skip_beta_s_t"), kExact);

  // A network that returns pred, given the noise as x_t.
  report.relmax("x0 of eps", (noise - rows(sigma) * pred) / rows(bar.sqrt()), c.at("out.vp.x0_pred"), kExact);
  report.relmax("score", -pred / rows(sigma), c.at("out.vp.score"), kExact);
  std::vector<Tensor> eps;
  for (int64_t i = 0; i < noise.size(0); ++i) {
    const Network network = [&](const Tensor&, const Tensor&) { return pred[i].unsqueeze(0); };
    eps.push_back(make_denoiser(network, *vp, "x0")(noise[i].unsqueeze(0), times[i]));
  }
  report.relmax("eps of x0", at::cat(eps), c.at("out.vp.noise_from_x0pred"), kExact);
}

}  // namespace uvic::parity
