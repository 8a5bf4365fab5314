#include "app/draw/pipeline.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "app/draw/finite_check.h"
#include "core/autocast.h"
#include "core/image/image.h"
#include "core/one_by_one.h"
#include "core/random.h"
#include "core/text.h"
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

// The context of every text: states [B, N, D], each text encoded once, or word ids [B, N].
Tensor read_texts(const Model& model, const std::vector<std::string>& all) {
  const UVitConfig& config = model.card.config.model;
  if (!reads_text_states(config)) {
    if (!model.card.vocabulary) fail("{} carries no vocabulary, so it cannot read prompts", model.path.string());
    std::vector<Tensor> rows;
    for (const std::string& text : all)
      rows.push_back(at::tensor(model.card.vocabulary->encode(text, config.context_tokens).ids, at::kLong));
    return at::stack(rows);
  }
  if (!model.text)
    fail(
        "{} reads prompts through a text encoder: give its folder with --text, or put both into one with `uvic bundle`",
        model.path.string());
  std::map<std::string, int64_t> places;
  std::vector<int64_t> rows;
  std::vector<std::string> texts;
  for (const std::string& text : all) {
    const auto [place, is_new] = places.emplace(text, static_cast<int64_t>(texts.size()));
    if (is_new) texts.push_back(text);
    rows.push_back(place->second);
  }
  const Tensor states = each_apart(model.device, static_cast<int64_t>(texts.size()),
                                   [&](int64_t i) { return (*model.text)(texts[i], config.context_tokens); });
  return states.index_select(0, at::tensor(rows, at::kLong).to(states.device()));
}

// Words have no middle; their embeddings, which the network takes as well, have.
Tensor embedded(const Model& model, const Tensor& context) {
  if (context.dim() == 3) return context;
  return at::embedding(to_map(model.net.parameters()).at("text_embed.weight"), context.to(model.device));
}

Tensor text_contexts(const Model& model, std::span<const Request> requests, bool null) {
  std::vector<std::string> from, to;
  std::vector<float> mixes;
  bool mixed = false;
  for (const Request& request : requests) {
    from.push_back(null ? request.negative : request.prompt);
    to.push_back(request.to_prompt.value_or(request.prompt));
    mixes.push_back(static_cast<float>(request.mix));
    mixed |= request.to_prompt.has_value();
  }
  const Tensor contexts = read_texts(model, from);
  if (!mixed) return contexts;
  if (null) return embedded(model, contexts);
  const Tensor there = embedded(model, read_texts(model, to));
  return at::lerp(embedded(model, contexts), there, at::tensor(mixes).view({-1, 1, 1}).to(there.device()));
}

// [B, N, D] if the requests bring their states along; undefined if not.
Tensor given_contexts(std::span<const Request> requests, bool null) {
  std::vector<Tensor> contexts;
  for (const Request& request : requests) contexts.push_back(null ? request.negative_context : request.context);
  const auto given = std::count_if(contexts.begin(), contexts.end(), [](const Tensor& c) { return c.defined(); });
  TORCH_CHECK(given == 0 || given == std::ssize(contexts), "some requests of a batch bring a context, others do not");
  return given == 0 ? Tensor() : at::stack(contexts);
}

// The condition of a batch of requests; `null` gives what guidance leads away from.
Condition make_condition(const Model& model, std::span<const Request> requests, bool null) {
  const UVitConfig& config = model.card.config.model;
  Condition condition;
  if (config.classes > 0) {
    condition.label = at::empty({static_cast<int64_t>(requests.size())}, at::kLong);
    for (size_t i = 0; i < requests.size(); ++i)
      condition.label[static_cast<int64_t>(i)] = null ? config.classes : requests[i].label.value_or(config.classes);
  }
  if (const Tensor given = given_contexts(requests, null); given.defined()) {
    condition.context = given;
  } else if (config.context_tokens > 0) {
    condition.context = text_contexts(model, requests, null);
  }
  return condition;
}

Network make_network(const Model& model, std::span<const Request> requests, double cfg_scale) {
  Condition condition = make_condition(model, requests, false);
  const bool guided = cfg_scale != 1 && (condition.label.defined() || condition.context.defined());
  // Guidance needs two predictions of each image: the conditional ones come first, then the others.
  if (guided) condition = join(condition, make_condition(model, requests, true));
  condition = to(condition, model.device);
  return [&model, condition, guided, cfg_scale](const Tensor& x, const Tensor& time) {
    const int64_t images = x.size(0), calls = guided ? 2 * images : images;
    Tensor out;
    if (x.is_cpu()) {
      out = one_by_one(calls, [&](int64_t i) {
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
  Denoiser predict = make_denoiser(make_network(model, requests, options.settings.cfg_scale), schedule,
                                   model.card.config.objective.prediction);
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
      for (size_t i = 0; i < drawings.size(); ++i) drawings[i].strip.push_back(frames[i]);
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

// The words at the end of a text without which nothing of it is left out.
std::string end_left_out(const std::string& text, const std::function<int64_t(const std::string&)>& left_out) {
  std::vector<size_t> ends;  // of its words
  for (size_t at = 1; at <= text.size(); ++at)
    if ((at == text.size() || std::isspace(static_cast<unsigned char>(text[at]))) &&
        !std::isspace(static_cast<unsigned char>(text[at - 1])))
      ends.push_back(at);
  const auto fits = [&](size_t end) { return left_out(text.substr(0, end)) == 0; };
  const auto first_cut = std::ranges::partition_point(ends, fits);
  const size_t end = first_cut == ends.begin() ? 0 : *std::prev(first_cut);
  const size_t word = text.find_first_not_of(" \t\r\n\v\f", end);
  return word == std::string::npos ? "" : text.substr(word);
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
    for (size_t i = 0; i < requests.size(); ++i)
      if (batch.problems[i].empty())
        on_drawing(requests[i], std::move(batch.drawings[i]));
      else if (problem.empty())
        problem = batch.problems[i];
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

std::vector<std::string> not_followed(const Model& model, const std::string& prompt) {
  constexpr size_t kShown = 300;
  const int64_t room = model.card.config.model.context_tokens;
  std::vector<std::string> all;
  if (model.text) {
    const auto left_out = [&](const std::string& text) { return model.text->tokens(text, room).left_out; };
    if (const int64_t tokens = left_out(prompt); tokens > 0)
      all.push_back(fmt::format("reads {} tokens and not the last {} of these, \"{}\"", room, tokens,
                                shortened(end_left_out(prompt, left_out), kShown)));
  } else if (model.card.vocabulary) {
    const auto encoded = model.card.vocabulary->encode(prompt, room);
    const auto left_out = [&](const std::string& text) { return model.card.vocabulary->encode(text, room).dropped; };
    if (!encoded.unknown.empty())
      all.push_back(shortened(fmt::format("does not know {}", fmt::join(encoded.unknown, ", ")), kShown));
    if (encoded.dropped > 0)
      all.push_back(fmt::format("reads {} words and not the last {} of these, \"{}\"", room, encoded.dropped,
                                shortened(end_left_out(prompt, left_out), kShown)));
  }
  return all;
}

int64_t parse_class(const Model& model, const std::string& text) {
  const auto& classes = model.card.classes;
  const int64_t count = model.card.config.model.classes;
  if (count == 0) fail("{} has no classes: --class does not apply to it", model.name);
  for (size_t i = 0; i < classes.size(); ++i)
    if (classes[i] == text) return static_cast<int64_t>(i);
  char* end = nullptr;
  const int64_t id = std::strtoll(text.c_str(), &end, 10);
  if (!text.empty() && *end == 0 && id >= 0 && id < count) return id;
  fail("unknown class '{}': expected 0..{}{}", text, count - 1,
       classes.empty() ? "" : fmt::format(" or one of {}", fmt::join(classes, ", ")));
}

}  // namespace uvic
