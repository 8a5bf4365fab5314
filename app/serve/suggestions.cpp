#include "app/serve/suggestions.h"

#include "app/draw/written_captions.h"
#include "app/serve/order.h"
#include "core/error.h"

namespace uvic {
namespace {

int64_t below(int64_t count) {
  return static_cast<int64_t>(new_seed()) % count;
}

std::optional<std::string> caption_of(const Dataset& data) {
  constexpr int kTries = 20;
  for (int i = 0; i < kTries; ++i)
    if (const auto captions = data.captions(below(data.size())); !captions.empty())
      return captions[below(std::ssize(captions))];
  return std::nullopt;
}

bool is_of_shapes(const ModelCard& card) {
  return Spec::parse(card.config.data.spec).kind == "shapes";
}

}  // namespace

Suggestions::Suggestions(const std::string& spec, const std::string& language_model) {
  if (!spec.empty()) data_ = open_dataset(spec);
  if (!language_model.empty()) language_model_ = load_language_model(language_model, at::kCPU);
}

bool Suggestions::has_any(const ModelCard& card) const {
  const bool reads_text = card.config.model.context_tokens > 0;
  return card.config.model.classes > 0 || (reads_text && (language_model_ || data_ || is_of_shapes(card)));
}

std::optional<Suggestions::Suggestion> Suggestions::next(const ModelCard& card) {
  const UVitConfig& model = card.config.model;
  if (model.classes > 0) {
    const int64_t label = below(model.classes);
    return Suggestion{.prompt = "", .label = card.classes.empty() ? std::to_string(label) : card.classes[label]};
  }
  if (model.context_tokens == 0) return std::nullopt;
  const std::scoped_lock lock(mutex_);
  std::optional<std::string> prompt;
  if (language_model_) {
    prompt = write_caption(*language_model_, "", new_seed());
  } else if (data_) {
    prompt = caption_of(*data_);
  } else if (is_of_shapes(card)) {
    prompt = caption_of(*open_dataset(card.config.data.spec));
  }
  if (!prompt) return std::nullopt;
  return Suggestion{.prompt = *prompt, .label = ""};
}

}  // namespace uvic
