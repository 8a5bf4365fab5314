#include "app/pipeline.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include "core/autocast.h"
#include "core/image.h"
#include "core/random.h"
#include "diffusion/guidance.h"

namespace uvic {
namespace {

// The condition of a batch of requests; `null` gives what guidance leads away from.
Condition make_condition(const Model& model, std::span<const Request> requests, bool null) {
  const UVitConfig& config = model.card.config.model;
  Condition condition;
  if (config.classes > 0) {
    condition.label = at::empty({static_cast<int64_t>(requests.size())}, at::kLong);
    for (size_t i = 0; i < requests.size(); ++i)
      condition.label[static_cast<int64_t>(i)] = null ? config.classes : requests[i].label.value_or(config.classes);
  }
  if (config.context_tokens > 0) {
    if (!model.card.vocabulary) fail("{} carries no vocabulary, so it cannot read prompts", model.path.string());
    std::vector<Tensor> rows;
    for (const Request& request : requests) {
      const std::string& text = null ? request.negative : request.prompt;
      rows.push_back(at::tensor(model.card.vocabulary->encode(text, config.context_tokens).ids, at::kLong));
    }
    condition.context = at::stack(rows);
  }
  return condition;
}

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

class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

// Runs `count` independent network calls on one image each, several at once, each on one thread: matrix kernels may round
// differently for other batch sizes and thread counts, and Cog Attention amplifies that where a score changes its sign.
Tensor one_by_one(int64_t count, const std::function<Tensor(int64_t i)>& call) {
  std::vector<Tensor> out(static_cast<size_t>(count));
  const auto run = [&](int64_t begin, int64_t end) {
    at::NoGradGuard no_grad;  // the mode of the calling thread does not reach the others
    for (int64_t i = begin; i < end; ++i) out[i] = call(i);
  };
  if (count == 1) {
    const OneThread one_thread;  // a single call would have all threads to itself
    run(0, 1);
  } else {
    at::parallel_for(0, count, 1, run);
  }
  return at::cat(out);
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

Tensor to_picture(const Tensor& x) { return to_uint8(x.cpu()).permute({1, 2, 0}).contiguous(); }

std::vector<Drawing> generate_batch(const Model& model, std::span<const Request> requests,
                                    const GenerateOptions& options, const std::function<bool()>& on_call) {
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
  const std::vector<int64_t> shape{config.channels, config.image_size, config.image_size};

  std::vector<Drawing> drawings(requests.size());
  const Denoiser predict =
      make_denoiser(make_network(model, requests, options.cfg_scale), schedule, model.card.config.objective.prediction);
  int64_t calls = 0;
  bool stopped = false;
  struct Stopped {};
  const Denoiser denoiser = [&](const Tensor& x, double t) {
    Tensor eps = predict(x, t);
    ++calls;
    if (options.strip > 0 && calls * options.strip / options.sampler.steps >
                                 (calls - 1) * options.strip / options.sampler.steps) {
      const Tensor x0 = (x - schedule.sigma(t) * eps) / schedule.alpha(t);
      for (size_t i = 0; i < drawings.size(); ++i) drawings[i].strip.push_back(to_picture(x0[static_cast<int64_t>(i)]));
    }
    stopped = on_call && !on_call();
    if (stopped) throw Stopped();
    return eps;
  };
  try {
    const Sampler sampler = find(samplers(), options.sampler.kind, "sampler").value;
    const Tensor x0 = sampler(denoiser, schedule, noise(shape), options.sampler,
                              [&](const Tensor& x) { return noise(x.sizes().slice(1)); });
    for (size_t i = 0; i < drawings.size(); ++i) drawings[i].image = to_picture(x0[static_cast<int64_t>(i)]);
  } catch (const Stopped&) {
    return {};
  }
  return drawings;
}

}  // namespace

std::vector<Drawing> generate(const Model& model, const std::vector<Request>& requests, const GenerateOptions& options,
                              const OnCall& on_call) {
  at::NoGradGuard no_grad;
  const auto count = static_cast<int64_t>(requests.size()), batch = std::max<int64_t>(1, options.batch);
  const int64_t total = (count + batch - 1) / batch * options.sampler.steps;
  int64_t done = 0;
  std::vector<Drawing> drawings;
  for (int64_t begin = 0; begin < count; begin += batch) {
    const std::span<const Request> part(requests.data() + begin, static_cast<size_t>(std::min(batch, count - begin)));
    std::vector<Drawing> drawn =
        generate_batch(model, part, options, [&] { return ++done, !on_call || on_call(done, total); });
    if (drawn.empty()) return {};
    std::move(drawn.begin(), drawn.end(), std::back_inserter(drawings));
  }
  return drawings;
}

std::vector<std::string> unknown_words(const Model& model, const std::string& prompt) {
  if (!model.card.vocabulary) return {};
  return model.card.vocabulary->encode(prompt, model.card.config.model.context_tokens).unknown;
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
