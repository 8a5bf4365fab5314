// Cases of training: the loss with its gradients, and whole optimizer steps with EMA.
#include <cmath>

#include "diffusion/objective.h"
#include "tests/parity/case.h"
#include "tests/parity/model.h"
#include "train/train.h"

namespace uvic::parity {
namespace {

UVit network(const Case& reference) {
  const auto& config = reference.config();
  UVit net = load_uvit(uvit_config(config.at("model"), config.at("family")), reference.weights());
  net.set_requires_grad(true);
  return net;
}

}  // namespace

void loss_case(const Case& reference, Report& report) {
  const auto& tolerance = reference.entry.at("tolerance");
  const std::pair<std::string, std::string> kinds[] = {{"continuous", "vp"}, {"discrete", "scaled-linear"}};
  for (const auto& [name, kind] : kinds) {
    const auto schedule = make_schedule({.kind = kind});
    const Tensor t = name == "continuous" ? reference.at("in.t").to(at::kDouble)
                                          : reference.at("in.n").to(at::kDouble) / schedule->steps();
    const UVit net = network(reference);
    const Tensor loss =
        diffusion_loss([&](const Tensor& x, const Tensor& time) { return net(x, time, condition_of(reference)); },
                       *schedule, {}, reference.at("in.x0"), t, reference.at("in.noise"));
    report.relmax(name + " loss", loss, reference.at("out." + name + ".loss"), tolerance.at("loss_relmax"));
    loss.mean().backward();
    const auto compare_norm = [&](const std::string& what, double got) {
      const double want = reference.at("out." + name + "." + what).item<double>();
      report.add(name + " " + what, std::abs(got - want) / std::max(want, 1e-6), tolerance.at("gradnorm_rel"));
    };
    double squares = 0;
    for (const auto& [parameter, tensor, role] : net.parameters()) {
      const double norm = at::linalg_vector_norm(tensor.grad().to(at::kDouble)).item<double>();
      squares += norm * norm;
      compare_norm("gradnorm." + parameter, norm);
    }
    compare_norm("total_grad_norm", std::sqrt(squares));
  }
}

void train_case(const Case& reference, Report& report) {
  const auto& options = reference.config().at("train");
  TrainConfig config;
  config.steps = options.at("steps");
  config.batch = 1;  // a whole batch of the case
  config.lr = options.at("lr");
  config.warmup = options.at("warmup_steps");
  config.adamw = {.beta1 = options.at("betas")[0],
                  .beta2 = options.at("betas")[1],
                  .eps = 1e-8,
                  .weight_decay = options.at("weight_decay")};
  config.ema = {.rate = options.at("ema_rate")};

  const UVit net = network(reference);
  const auto schedule = make_schedule({.kind = "vp"});
  const Condition all = condition_of(reference);
  const StepLoss loss = [&](Items items) {
    const int64_t step = items.first;
    const auto at_step = [&](const Tensor& rows) { return rows.defined() ? rows[step] : Tensor(); };
    const Condition condition{at_step(all.label), at_step(all.context)};
    const Tensor losses = diffusion_loss([&](const Tensor& x, const Tensor& time) { return net(x, time, condition); },
                                         *schedule, {}, reference.at("in.x0")[step],
                                         reference.at("in.t")[step].to(at::kDouble), reference.at("in.noise")[step]);
    return MicroBatchLoss{losses.mean(), 1};
  };
  std::vector<double> losses, rates;
  TrainState state(net.parameters(), config);
  train(state, loss, config, at::kCPU, [&](const StepStats& stats) {
    losses.push_back(stats.loss);
    rates.push_back(stats.lr);
  });

  const auto& tolerance = reference.entry.at("tolerance");
  report.relmax("losses", at::tensor(losses, at::kDouble), reference.at("out.losses"), tolerance.at("losses_rel"));
  report.relmax("learning rates", at::tensor(rates, at::kDouble), reference.at("out.lrs_used"), 1e-12);
  const double absolute = tolerance.at("params_max_abs");
  for (const auto& [name, tensor, role] : state.parameters)
    report.absmax("final " + name, tensor, reference.at("out.final." + name), absolute);
  for (const auto& [name, tensor, role] : state.ema.parameters())
    report.absmax("ema " + name, tensor, reference.at("out.ema." + name), absolute);
}

}  // namespace uvic::parity
