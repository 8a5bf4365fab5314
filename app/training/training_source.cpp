#include "app/training/training_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "app/training/caption_states.h"
#include "app/training/latent_source.h"
#include "core/error.h"
#include "core/progress.h"

namespace uvic {
namespace {

void fit_pictures(const RunConfig& config) {
  if (config.model.channels != 3) fail("model.channels = {}: images have 3 channels", config.model.channels);
  if (config.data.latent_scale > 0)
    fail("data.latent_scale = {}: {} holds pictures, not latents; `uvic encode` makes latents of them",
         config.data.latent_scale, config.data.spec);
  if (!config.output.autoencoder.empty())
    fail("output.autoencoder: {} holds pictures, which need none", config.data.spec);
  if (!config.output.text.empty())
    fail("output.text is for latents: a model of pictures learns words, or reads them through data.text_encoder");
}

void fit_pictures_without_text(RunConfig& config) {
  fit_pictures(config);
  config.model.classes = config.model.context_tokens = config.model.vocabulary = 0;
}

// A fine-tuned model keeps its words: a new one has no place in its table.
void warn_of_unknown_words(const std::vector<std::string>& captions, const Vocabulary& known) {
  constexpr size_t kShown = 10;
  std::set<std::string> words;
  int64_t affected = 0;
  for (const std::string& caption : captions) {
    const auto unknown = known.encode(caption, 0).unknown;
    affected += !unknown.empty();
    words.insert(unknown.begin(), unknown.end());
  }
  if (words.empty()) return;
  const std::vector<std::string> some(words.begin(), std::next(words.begin(), std::min(kShown, words.size())));
  warn(fmt::format("{} of {} captions have words that the model does not know, {} in all: {}{}", affected,
                   captions.size(), words.size(), fmt::join(some, ", "), words.size() > kShown ? ", ..." : ""));
}

// The words of the captions, or those that are known already.
Vocabulary words_of(const Dataset& data, int64_t max_size, int64_t context_tokens,
                    const std::optional<Vocabulary>& known) {
  std::vector<std::string> captions;
  for (int64_t i = 0; i < data.size(); ++i)
    for (std::string& caption : data.captions(i)) captions.push_back(std::move(caption));
  if (captions.empty()) fail("data.condition is text, but the data has no captions: {}", data.description());
  const auto is_long = [&](const std::string& caption) { return Vocabulary::count_words(caption) > context_tokens; };
  if (const int64_t cut = std::ranges::count_if(captions, is_long); cut > 0)
    warn(fmt::format("{} of {} captions are longer than {} words: their ends are left out (model.context_tokens)", cut,
                     captions.size(), context_tokens));
  if (!known) return Vocabulary::build(captions, max_size);
  warn_of_unknown_words(captions, *known);
  return *known;
}

TrainingSource source_of_pictures(RunConfig& config, std::shared_ptr<const Dataset> data,
                                  const std::optional<Vocabulary>&) {
  fit_pictures_without_text(config);
  return {.batch_at = make_stream(std::move(data), std::nullopt, stream_config(config)),
          .request = [](int64_t) { return Request(); }};
}

// A column of the grid has one class.
TrainingSource source_of_classes(RunConfig& config, std::shared_ptr<const Dataset> data,
                                 const std::optional<Vocabulary>&) {
  fit_pictures_without_text(config);
  std::vector<std::string> classes = data->classes();
  if (classes.empty()) fail("data.condition is class, but the data has no classes: {}", data->description());
  config.model.classes = std::ssize(classes);
  const auto request = [columns = config.output.grid, count = config.model.classes](int64_t i) {
    Request request;
    request.label = i % columns % count;
    return request;
  };
  return {.batch_at = make_stream(std::move(data), std::nullopt, stream_config(config)),
          .request = request,
          .classes = std::move(classes)};
}

TrainingSource source_of_words(RunConfig& config, std::shared_ptr<const Dataset> data,
                               const std::optional<Vocabulary>& known) {
  fit_captioned_pictures(config);
  const Vocabulary words = words_of(*data, config.data.max_vocabulary, config.model.context_tokens, known);
  config.model.vocabulary = words.size();
  return {.batch_at = make_stream(data, words, stream_config(config)),
          .request = caption_requests(data),
          .vocabulary = words};
}

constexpr Entry<OpenSource> kSources[] = {
    {"none", source_of_pictures, "pictures alone"},
    {"class", source_of_classes, "pictures and their classes"},
    {"words", source_of_words, "pictures and captions, whose words are learned"},
    {"states", source_of_states, "pictures and captions, which a frozen text encoder reads"},
    {"latents", source_of_latents, "an autoencoder's latents, alone or with states of captions"},
};

}  // namespace

std::span<const Entry<OpenSource>> training_sources() {
  return kSources;
}

std::string source_kind(const DataConfig& config, const Dataset& data) {
  if (dynamic_cast<const LatentDataset*>(&data)) return "latents";
  if (config.condition != "text") return config.condition;
  return config.text_encoder.empty() ? "words" : "states";
}

void fit_captioned_pictures(RunConfig& config) {
  fit_pictures(config);
  config.model.classes = 0;
  if (config.model.context_tokens == 0)
    fail("data.condition is text, but model.context_tokens is 0: give the longest prompt in words");
}

std::function<Request(int64_t i)> caption_requests(std::shared_ptr<const Dataset> data) {
  return [data = std::move(data)](int64_t i) {
    Request request;
    const std::vector<std::string> captions = data->captions(i % data->size());
    if (!captions.empty()) request.prompt = captions.front();
    return request;
  };
}

StreamConfig stream_config(const RunConfig& config) {
  return {.seed = config.train.seed,
          .flip = config.data.flip,
          .drop_condition = config.data.drop_condition,
          .num_classes = config.model.classes,
          .context_tokens = config.model.context_tokens};
}

}  // namespace uvic
