#include "app/training/training_data.h"

#include "app/cli/prompts.h"
#include "core/error.h"
#include "core/text.h"
#include "transformer/attention.h"

namespace uvic {
namespace {

// Objectives and samplers that do not go with the schedule would stop the run later: one pixel shows it now.
void try_diffusion(const RunConfig& config) {
  const auto schedule = make_schedule(config.schedule);
  const Tensor pixel = at::zeros({1, 1, 1, 1});
  const Network network = [](const Tensor& x, const Tensor&) { return x; };
  diffusion_loss(network, *schedule, config.objective, pixel, at::ones({1}), pixel);
  const Denoiser nothing = [](const Tensor& x, double) { return at::zeros_like(x); };
  const Sampler sampler = find(samplers(), config.sample.sampler.kind, "sampler").value;
  sampler(nothing, *schedule, pixel, config.sample.sampler, [](const Tensor& x) { return x; });
}

std::shared_ptr<const Dataset> open_images(RunConfig& config) {
  Spec spec = Spec::parse(config.data.spec);
  spec.options.try_emplace("size", std::to_string(config.model.image_size));
  config.data.spec = spec.text();
  auto images = open_dataset(spec);
  if (images->image_size() != config.model.image_size)
    fail("the images of {} are {} pixels wide, the model takes {}: set ?size= or --model.image_size", config.data.spec,
         images->image_size(), config.model.image_size);
  return images;
}

// What takes the place of the data's own captions in sample grids.
std::function<Request(int64_t i)> prompt_requests(const RunConfig& config) {
  if (config.data.condition != "text")
    fail("output.prompts: the model reads no text, since data.condition is {}", config.data.condition);
  return [prompts = read_prompts(config.output.prompts)](int64_t i) {
    Request request;
    request.prompt = prompts[static_cast<size_t>(i) % prompts.size()];
    return request;
  };
}

// "uvic" for a U-ViC.
std::string network_in_names(const UVitConfig& model) {
  std::string name = find(attention_kinds(), model.attention, "attention kind").value.network;
  std::erase(name, '-');
  return lower_case(name);
}

}  // namespace

TrainingData open_training_data(RunConfig& config, const std::optional<Vocabulary>& known) {
  config.model = resolve(config.model);
  try_diffusion(config);
  const std::shared_ptr<const Dataset> images = open_images(config);
  std::function<Request(int64_t i)> prompts;
  if (!config.output.prompts.empty()) prompts = prompt_requests(config);
  const OpenSource open = find(training_sources(), source_kind(config.data, *images), "condition").value;
  TrainingData data{.description = images->description(), .source = open(config, images, known), .scorer = nullptr};
  if (prompts) data.source.request = std::move(prompts);
  if (config.output.name.empty())
    config.output.name =
        fmt::format("{}-{}-{}", Spec::parse(config.data.spec).kind, network_in_names(config.model), config.model.size);
  if (config.eval.every > 0)
    data.scorer = std::make_shared<ModelScorer>(
        config.eval, config.eval.against.empty() ? images : open_dataset(config.eval.against));
  return data;
}

}  // namespace uvic
