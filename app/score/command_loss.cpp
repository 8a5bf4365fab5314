// uvic loss MODEL DATA
#include <cmath>
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/model/model_argument.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/random.h"
#include "datasets/stream.h"
#include "diffusion/objective.h"

namespace uvic {
namespace {

struct LossCommand {
  std::string model, data;
  int64_t num = 2048, batch = 32;
  ModelArgument argument;

  void run() const {
    const Model loaded = argument.load(model);
    const RunConfig& config = loaded.card.config;
    if (reads_text_states(config.model) || config.data.latent_scale > 0)
      fail("{} reads latents or states of texts: `uvic loss` takes models of pixels with words, classes or neither",
           loaded.name);
    Spec spec = Spec::parse(data);
    spec.options.try_emplace("size", std::to_string(config.model.image_size));
    const auto images = open_dataset(spec);
    const int64_t count = std::min(num, images->size());
    const BatchAt batch_at = make_stream(
        images, loaded.card.vocabulary,
        {.drop_condition = 0, .num_classes = config.model.classes, .context_tokens = config.model.context_tokens});
    std::vector<double> losses;
    Progress progress("loss", count, "image");
    while (std::ssize(losses) < count) {
      const Items items{std::ssize(losses), std::min(batch, count - std::ssize(losses))};
      const Tensor all = losses_of(loaded, batch_at(items), items.first).to(at::kCPU, at::kDouble);
      for (int64_t i = 0; i < all.size(0); ++i) losses.push_back(all[i].item<double>());
      progress.update(std::ssize(losses));
      stop_if_interrupted();
    }
    report(loaded, spec, losses);
  }

  // Of images first, first + 1, ... of the walk. Their times are a golden ratio apart, so that any number of them lies
  // evenly over the schedule; the noise of image i is that of seed i.
  static Tensor losses_of(const Model& model, const Batch& batch, int64_t first) {
    const at::NoGradGuard no_grad;
    const int64_t size = batch.x.size(0), steps = model.schedule->steps();
    constexpr double kGolden = 0.6180339887498949;
    std::vector<double> times;
    std::vector<Tensor> noise;
    for (int64_t i = first; i < first + size; ++i) {
      const double share = std::fmod(0.5 + static_cast<double>(i) * kGolden, 1.0);
      times.push_back(steps == 0 ? share
                                 : std::floor(share * static_cast<double>(steps) + 1) / static_cast<double>(steps));
      at::Generator generator = image_generator(static_cast<uint64_t>(i));
      noise.push_back(at::randn(batch.x.sizes().slice(1), generator, at::kFloat));
    }
    const Condition condition = to(batch.condition, model.device);
    const Network network = [&](const Tensor& x, const Tensor& time) { return model.net(x, time, condition); };
    return diffusion_loss(network, *model.schedule, model.card.config.objective, batch.x.to(model.device),
                          at::tensor(times).to(model.device), at::stack(noise).to(model.device));
  }

  static void report(const Model& model, const Spec& spec, const std::vector<double>& losses) {
    const Tensor all = at::tensor(losses);
    const double mean = all.mean().item<double>();
    const ObjectiveConfig& objective = model.card.config.objective;
    Fields fields{{"model", model.path.string()},
                  {"step", model.card.step},
                  {"data", spec.text()},
                  {"images", losses.size()},
                  {"objective", fmt::format("{}, {}", objective.prediction, objective.weighting)},
                  {"loss", mean}};
    if (losses.size() > 1) {
      const double error = 1.96 * all.std().item<double>() / std::sqrt(static_cast<double>(losses.size()));
      fields["interval_95"] = {mean - error, mean + error};
    }
    print_result(fields, uvic::to_text(fields));
  }
};

}  // namespace

void add_loss_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("loss", "the training loss of a model on images it was not trained on");
  auto command = std::make_shared<LossCommand>();
  sub->add_option("MODEL", command->model, "run folder, checkpoint, .safetensors or .pth")->required();
  sub->add_option("DATA", command->data, "data SPEC")->required();
  sub->add_option("--num", command->num, "images")->check(number<int64_t>())->check(at_least(1))->capture_default_str();
  sub->add_option("-b,--batch", command->batch, "images at a time")->check(CLI::Range(1, 4096))->capture_default_str();
  command->argument.add_options(*sub, "cpu, cuda or cuda:N");
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
