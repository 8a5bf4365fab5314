#include "app/draw/pipeline.h"

#include <algorithm>

#include "app/draw/finite_check.h"
#include "core/autocast.h"
#include "core/image/image.h"
#include "core/one_by_one.h"
#include "core/random.h"
#include "diffusion/guidance.h"
#include "diffusion/inpainting.h"
#include "diffusion/interpolate.h"
#include "encoders/tiled_decode.h"

namespace uvic {
namespace {

Condition narrow(const Condition& condition, int64_t begin, int64_t length) {
  Condition part;
  if (condition.label.defined()) part.label = condition.label.narrow(0, begin, length);
  if (condition.context.defined()) part.context = condition.context.narrow(0, begin, length);
  return part;
}

Condition join(const Condition& a, const Condition& b) {
  Condition both;
  if (a.label.defined()) both.label = at::cat({a.label, b.label});
  if (a.context.defined()) both.context = at::cat({a.context, b.context});
  return both;
}

bool is_wanted(const GenerateOptions& options, const Request& request) {
  return !options.is_wanted || options.is_wanted(request);
}

Network make_network(const Model& model, std::span<const Request> requests, const GenerateOptions& options) {
  const double cfg_scale = options.settings.cfg_scale;
  Condition condition = make_condition(model, requests, false);
  const bool guided = cfg_scale != 1 && (condition.label.defined() || condition.context.defined());
  // Guidance needs two predictions of each image: the conditional ones come first, then the others.
  if (guided) condition = join(condition, make_condition(model, requests, true));
  condition = to(condition, model.device);
  return [&model, &options, requests, condition, guided, cfg_scale](const Tensor& x, const Tensor& time) {
    const int64_t images = x.size(0), calls = guided ? 2 * images : images;
    Tensor out;
    if (x.is_cpu()) {
      out = one_by_one(calls, [&](int64_t i) {
        if (!is_wanted(options, requests[i % images])) return at::zeros_like(x.narrow(0, i % images, 1));
        const Autocast autocast(at::kCPU, model.precision);  // a thread's own
        return model.net(x.narrow(0, i % images, 1), time.narrow(0, i % images, 1), narrow(condition, i, 1));
      });
    } else {
      const Autocast autocast(model.device.type(), model.precision);
      out = guided ? model.net(at::cat({x, x}), at::cat({time, time}), condition) : model.net(x, time, condition);
    }
    return guided ? guide(out.narrow(0, 0, images), out.narrow(0, images, images), cfg_scale) : out;
  };
}

// [B, C, H, W] float, of latents as the autoencoder decodes them
Tensor to_pixels(const Model& model, const Tensor& x, const GenerateOptions& options) {
  if (!model.autoencoder) return x.cpu();
  return each_apart(x.device(), x.size(0),
                    [&](int64_t i) {
                      return decode_tiled(*model.autoencoder, x.narrow(0, i, 1) / model.latent_scale,
                                          options.settings.tile);
                    })
      .cpu();
}

// [B, C, H, W] -> B times [H, W, 3] uint8
std::vector<Tensor> to_pictures(const Tensor& pixels) {
  std::vector<Tensor> pictures;
  for (const Tensor& image : to_uint8(pixels).unbind()) pictures.push_back(image.permute({1, 2, 0}).contiguous());
  return pictures;
}

// The noise of requests on the way to another seed.
Tensor start_noise(const Model& model, std::span<const Request> requests, Tensor noise) {
  for (size_t i = 0; i < requests.size(); ++i) {
    if (!requests[i].to_seed) continue;
    const Tensor here = noise[static_cast<int64_t>(i)];
    const Tensor there = at::randn(here.sizes(), image_generator(*requests[i].to_seed), at::kFloat);
    here.copy_(slerp(here.cpu(), there, requests[i].mix).to(model.device));
  }
  return noise;
}

struct DrawnBatch {
  std::vector<Drawing> drawings;
  std::vector<std::string> problems;  // of each; "": none
};

DrawnBatch generate_batch(const Model& model, std::span<const Request> requests, const GenerateOptions& options,
                          const std::optional<EditStart>& start, const std::function<void(int64_t calls)>& on_call) {
  const UVitConfig& config = model.card.config.model;
  const Schedule& schedule = *model.schedule;
  std::vector<at::Generator> generators;
  for (const Request& request : requests) generators.push_back(image_generator(request.seed));
  // Noise is drawn on the CPU in float32, so that a seed means the same image on every device.
  const auto noise = [&](at::IntArrayRef shape) {
    std::vector<Tensor> each;
    for (at::Generator& generator : generators) each.push_back(at::randn(shape, generator, at::kFloat));
    return at::stack(each).to(model.device);
  };
  SamplerConfig how = options.settings.sampler;
  Tensor x = start_noise(model, requests, noise({config.channels, config.image_size, config.image_size}));

  std::vector<Drawing> drawings(requests.size());
  Denoiser predict =
      make_denoiser(make_network(model, requests, options), schedule, model.card.config.objective.prediction);
  if (start) {
    how.start = options.settings.strength;
    x = start->x0 * schedule.alpha(how.start) + x * schedule.sigma(how.start);
    if (start->known.defined()) predict = keep_known(std::move(predict), schedule, start->x0, start->known);
  }
  FiniteCheck check(requests);
  int64_t calls = 0;
  const Denoiser denoiser = [&](const Tensor& x, double t) {
    Tensor eps = predict(x, t);
    ++calls;
    check.look(eps, fmt::format("the network's output at step {} of {} (time {:.3g})", calls, how.steps, t));
    if (options.strip > 0 && calls * options.strip / how.steps > (calls - 1) * options.strip / how.steps) {
      const Tensor x0 = (x - schedule.sigma(t) * eps) / schedule.alpha(t);
      const std::vector<Tensor> frames = to_pictures(to_pixels(model, x0, options));
      for (size_t i = 0; i < drawings.size(); ++i)
        if (options.on_frame)
          options.on_frame(requests[i], calls, frames[i]);
        else
          drawings[i].strip.push_back(frames[i]);
    }
    if (on_call) on_call(calls);
    return eps;
  };
  const Sampler sampler = find(samplers(), how.kind, "sampler").value;
  Tensor x0 =
      sampler(denoiser, schedule, std::move(x), how, [&](const Tensor& like) { return noise(like.sizes().slice(1)); });
  // Solvers end with the noise of a small time.
  if (start && start->known.defined()) x0 = at::where(start->known, start->x0, x0);
  check.look(x0, "what the sampler ends with");
  const Tensor pixels = to_pixels(model, x0, options);
  check.look(pixels, "what the autoencoder makes of it");
  const std::vector<Tensor> pictures = to_pictures(pixels);
  for (size_t i = 0; i < drawings.size(); ++i) drawings[i].image = pictures[i];
  return DrawnBatch{std::move(drawings), check.problems()};
}

}  // namespace

void generate(const Model& model, const NextRequest& next, const GenerateOptions& options, const OnDrawing& on_drawing,
              const OnCall& on_call) {
  at::NoGradGuard no_grad;
  if (model.card.config.data.latent_scale > 0 && !model.autoencoder)
    fail(
        "{} draws latents: give the autoencoder that makes pictures of them with --autoencoder, or put both into one "
        "folder with `uvic bundle`",
        model.path.string());
  std::optional<EditStart> start;
  if (options.edit) start = start_of(model, *options.edit);
  const int64_t at_once = std::max<int64_t>(1, options.batch);
  int64_t done = 0;
  while (true) {
    std::vector<Request> requests;
    while (std::ssize(requests) < at_once) {
      std::optional<Request> request = next();
      if (!request) break;
      requests.push_back(*std::move(request));
    }
    const int64_t length = std::ssize(requests);
    if (length == 0) return;
    DrawnBatch batch = generate_batch(model, requests, options, start, [&](int64_t calls) {
      const int64_t steps = options.settings.sampler.steps;
      if (on_call) on_call(done + length * std::min(calls, steps) / steps);
    });
    std::string problem;
    for (size_t i = 0; i < requests.size(); ++i) {
      if (!is_wanted(options, requests[i])) continue;
      if (batch.problems[i].empty())
        on_drawing(requests[i], std::move(batch.drawings[i]));
      else if (problem.empty())
        problem = batch.problems[i];
    }
    if (!problem.empty()) throw NotFinite(problem);
    done += length;
  }
}

std::vector<Drawing> generate(const Model& model, const std::vector<Request>& requests, const GenerateOptions& options,
                              const OnCall& on_call) {
  size_t next = 0;
  std::vector<Drawing> drawings;
  generate(
      model, [&] { return next < requests.size() ? std::optional(requests[next++]) : std::nullopt; }, options,
      [&](const Request&, Drawing drawing) { drawings.push_back(std::move(drawing)); }, on_call);
  return drawings;
}

}  // namespace uvic
