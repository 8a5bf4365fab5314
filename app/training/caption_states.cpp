#include "app/training/caption_states.h"

#include <atomic>

#include "core/error.h"
#include "core/interrupt.h"
#include "core/one_by_one.h"
#include "core/progress.h"
#include "datasets/stream_draws.h"
#include "encoders/fingerprint.h"

namespace uvic {
namespace {

std::shared_ptr<const CaptionStates> read_captions(const Dataset& data, const RunConfig& config) {
  const UVitConfig& model = config.model;
  const std::string& folder = config.data.text_encoder;
  const auto text = load_text_encoder(folder);
  if (text->width() != model.context_dim)
    fail("{} gives states of width {}, the model takes {}: set --model.context_dim {}", folder, text->width(),
         model.context_dim, text->width());
  if (model.context_tokens < 2 || model.context_tokens > text->most_tokens())
    fail("{} reads 2 to {} tokens, the model takes {}: set --model.context_tokens", folder, text->most_tokens(),
         model.context_tokens);
  return std::make_shared<CaptionStates>(data, *text, model.context_tokens);
}

}  // namespace

CaptionStates::CaptionStates(const Dataset& data, const TextEncoder& text, int64_t length)
    : encoder_(fingerprint(text)) {
  std::vector<std::string> texts{""};
  places_[""] = 0;
  for (int64_t i = 0; i < data.size(); ++i)
    for (const std::string& caption : data.captions(i))
      if (places_.emplace(caption, std::ssize(texts)).second) texts.push_back(caption);
  if (texts.size() == 1) fail("data.condition is text, but the data has no captions: {}", data.description());
  const int64_t count = std::ssize(texts);
  states_ = at::empty({count, length, text.width()}, at::kHalf);
  Progress progress("read captions", count, "caption");
  constexpr int64_t kPart = 64;
  std::atomic<int64_t> cut = 0;
  for (int64_t begin = 0; begin < count; begin += kPart) {
    stop_if_interrupted();
    const int64_t part = std::min(kPart, count - begin);
    states_.narrow(0, begin, part).copy_(one_by_one(part, [&](int64_t i) {
      const Tokens tokens = text.tokens(texts[begin + i], length);
      if (tokens.left_out > 0) ++cut;
      return text.states(tokens);
    }));
    progress.update(begin + part);
  }
  if (cut > 0)
    warn(fmt::format("{} of {} captions are longer than {} tokens: their ends are left out (model.context_tokens)",
                     cut.load(), count - 1, length));
}

Tensor CaptionStates::operator()(const std::string& caption) const {
  const auto found = places_.find(caption);
  TORCH_CHECK(found != places_.end(), "a caption that was not read: ", caption);
  return states_[found->second];
}

BatchAt make_caption_stream(std::shared_ptr<const Dataset> data, std::shared_ptr<const CaptionStates> states,
                            StreamConfig config) {
  config.context_tokens = 0;  // of words
  const BatchAt pictures = make_stream(data, std::nullopt, config);
  return [=](Items items) {
    Batch batch = pictures(items);
    std::vector<Tensor> contexts;
    for (const auto& [item, index] : stream_items(config, data->size(), items)) {
      const std::vector<std::string> captions = data->captions(index);
      const bool none = captions.empty() || is_dropped(config, item);
      contexts.push_back((*states)(none ? "" : captions[draw_caption(config, item, std::ssize(captions))]));
    }
    batch.condition.context = at::stack(contexts).to(at::kFloat);
    return batch;
  };
}

TrainingSource source_of_states(RunConfig& config, std::shared_ptr<const Dataset> data,
                                const std::optional<Vocabulary>&) {
  fit_captioned_pictures(config);
  config.model.vocabulary = 0;
  const auto states = read_captions(*data, config);
  return {.batch_at = make_caption_stream(data, states, stream_config(config)),
          .request = caption_requests(data),
          .text_encoder = states->encoder()};
}

}  // namespace uvic
