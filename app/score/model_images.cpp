#include "app/score/model_images.h"

#include <limits>

#include "app/cli/options.h"
#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "encoders/fingerprint.h"

namespace uvic {
namespace {

// All that a drawn image depends on, beside what is asked for.
std::string drawn_by(const Model& model, const GenerateOptions& how) {
  std::string text = fmt::format("weights {}\n{}{}\n", model.hash, settings_key(how.settings),
                                 print_config<RunOptions>(model.card.config));
  for (const AdapterUse& use : model.adapters) text += fmt::format("adapters {} x {}\n", use.hash, use.weight);
  if (model.text) text += "text encoder " + fingerprint(*model.text) + '\n';
  if (model.autoencoder) text += fmt::format("autoencoder {}\n", fingerprint(*model.autoencoder));
  return text;
}

bool fits(const Model& model, const Dataset& data) {
  const UVitConfig& config = model.card.config.model;
  if (config.classes > 0 && static_cast<int64_t>(data.classes().size()) != config.classes) return false;
  return config.context_tokens == 0 || !data.captions(0).empty();
}

class ModelReader final : public ImageReader {
 public:
  ModelReader(const Model& model, const Dataset* conditions, const GenerateOptions& how, const Stretch& part)
      : model_(model), conditions_(conditions), how_(how), part_(part) {}

  std::optional<std::vector<SourceImage>> next(const Wanted& wanted) override {
    stop_if_interrupted();
    if (done_ == part_.size()) return std::nullopt;
    if (wanted && drawn_by_.empty()) drawn_by_ = drawn_by(model_, how_);
    std::vector<Request> requests;
    for (; done_ < part_.size() && std::ssize(requests) < how_.batch; ++done_)
      if (Request one = request(part_.begin + done_); !wanted || wanted(one.number, content(one)))
        requests.push_back(std::move(one));
    std::vector<SourceImage> found;
    const auto before = done_ - std::ssize(requests);
    for (const Drawing& drawing : generate(model_, requests, how_, [&](int64_t drawn) {
           stop_if_interrupted();
           if (on_done) on_done(before + drawn);
         })) {
      const int64_t index = requests[found.size()].number;
      found.push_back({index, fmt::format("image {}", index), "", drawing.image.permute({2, 0, 1})});
    }
    return found;
  }

 private:
  Request request(int64_t i) const {
    Request request{.seed = static_cast<uint64_t>(i), .prompt = "", .negative = "", .label = {}, .number = i};
    if (!conditions_) return request;
    const UVitConfig& config = model_.card.config.model;
    const int64_t like = i % conditions_->size();
    if (config.classes > 0 && conditions_->label(like) >= 0) request.label = conditions_->label(like);
    if (config.context_tokens > 0)
      if (const auto captions = conditions_->captions(like); !captions.empty()) request.prompt = captions.front();
    return request;
  }
  std::string content(const Request& request) const {
    return fmt::format("{}seed {}\nclass {}\nprompt {}", drawn_by_, request.seed, request.label.value_or(-1),
                       request.prompt);
  }

  const Model& model_;
  const Dataset* conditions_;
  GenerateOptions how_;
  std::string drawn_by_;  // made when it is first asked for: it hashes the weights of the encoders
  Stretch part_;
};

class ModelImages final : public ImageSource {
 public:
  ModelImages(const Model& model, std::shared_ptr<const Dataset> conditions, const GenerateOptions& how)
      : model_(model), conditions_(std::move(conditions)), how_(how) {}

  int64_t size() const override { return std::numeric_limits<int64_t>::max(); }
  int64_t block() const override { return how_.batch; }
  std::string fingerprint() const override {
    return sha256_of_bytes(fmt::format("{}batch {}\nconditions {}", drawn_by(model_, how_), how_.batch,
                                       conditions_ ? conditions_->description() : "none"));
  }
  std::unique_ptr<ImageReader> open(int64_t, const Stretch& part) const override {
    return std::make_unique<ModelReader>(model_, conditions_.get(), how_, part);
  }

 private:
  const Model& model_;
  std::shared_ptr<const Dataset> conditions_;
  GenerateOptions how_;
};

}  // namespace

std::unique_ptr<ImageSource> model_images(const Model& model, std::shared_ptr<const Dataset> conditions,
                                          const GenerateOptions& how) {
  const int64_t channels =
      model.autoencoder ? model.autoencoder->config().out_channels : model.card.config.model.channels;
  if (channels != 3) fail("{} draws images of {} channels; scores need 3", model.path.string(), channels);
  return std::make_unique<ModelImages>(model, std::move(conditions), how);
}

std::shared_ptr<const Dataset> conditions_for(const Model& model, std::shared_ptr<const Dataset> other, int64_t count) {
  const UVitConfig& config = model.card.config.model;
  if (config.classes == 0 && config.context_tokens == 0) return nullptr;
  if (other && fits(model, *other)) return other;

  const char* what = config.classes > 0 ? "classes" : "captions";
  Spec spec = Spec::parse(model.card.config.data.spec);
  spec.options["limit"] = std::to_string(count);
  std::string problem;
  for (const char* split : {"test", "train"}) {
    spec.options["split"] = split;
    try {
      std::shared_ptr<const Dataset> own = open_dataset(spec);
      if (!fits(model, *own)) fail("{} has not the {} that the model was trained with", spec.text(), what);
      log_line(fmt::format("{}: drawn from the {} of {}", model.name, what, spec.text()));
      return own;
    } catch (const Error& error) {
      problem = error.what();
    }
  }
  fail("{} draws from {}, and there are none: {}. Compare it with a data SPEC that has them", model.path.string(), what,
       problem);
}

}  // namespace uvic
