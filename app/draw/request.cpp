#include "app/draw/request.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/one_by_one.h"
#include "core/text.h"

namespace uvic {
namespace {

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

int64_t parse_class(const ModelCard& card, const std::string& name, const std::string& text) {
  const auto& classes = card.classes;
  const int64_t count = card.config.model.classes;
  if (count == 0) fail("{} has no classes: --class does not apply to it", name);
  for (size_t i = 0; i < classes.size(); ++i)
    if (classes[i] == text) return static_cast<int64_t>(i);
  char* end = nullptr;
  const int64_t id = std::strtoll(text.c_str(), &end, 10);
  if (!text.empty() && *end == 0 && id >= 0 && id < count) return id;
  fail("unknown class '{}': expected 0..{}{}", text, count - 1,
       classes.empty() ? "" : fmt::format(" or one of {}", fmt::join(classes, ", ")));
}

}  // namespace uvic
