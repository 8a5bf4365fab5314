#include "app/serve/order.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "app/cli/prompts.h"
#include "core/error.h"
#include "core/formats/base64.h"
#include "encoders/tiled_decode.h"

namespace uvic {
namespace {

using nlohmann::json;

// The value under `key`; null: none, or none that says anything.
const json* field(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  constexpr size_t kShown = 40;
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

std::string bounds(double low, double high) {
  return std::isfinite(high) ? fmt::format("{} to {}", low, high) : fmt::format("{} or more", low);
}

void read_setting(const json& value, const Setting& setting, bool& to) {
  if (!value.is_boolean()) fail("{} is {}: expected true or false", setting.key, shown(value));
  to = value.get<bool>();
}

void read_setting(const json& value, const Setting& setting, std::string& to) {
  const std::vector<std::string> choices = setting.choices();
  if (!value.is_string() || std::ranges::find(choices, value.get<std::string>()) == choices.end())
    fail("{} is {}: expected one of {}", setting.key, shown(value), fmt::join(choices, ", "));
  to = value.get<std::string>();
}

template <class T>
void read_setting(const json& value, const Setting& setting, T& to) {
  const bool is_number = std::is_integral_v<T> ? value.is_number_integer() : value.is_number();
  if (!is_number || !(value.get<double>() >= setting.low && value.get<double>() <= setting.high))
    fail("{} is {}: expected {}{}", setting.key, shown(value), std::is_integral_v<T> ? "a whole number, " : "",
         bounds(setting.low, setting.high));
  to = value.get<T>();
}

void expect_prompt(const char* what, const std::string& text) {
  expect_text(what, text);
  if (text.size() > kLongestPrompt) fail("{} has {} bytes: expected at most {}", what, text.size(), kLongestPrompt);
}

std::string text_of_label(const json& label) {
  if (label.is_number_integer()) return std::to_string(label.get<int64_t>());
  if (!label.is_string()) fail("class is no name and no number");
  return label.get<std::string>();
}

void read_seeds(const json& body, Wish& wish) {
  if (const json* seeds = field(body, "seeds")) {
    if (!seeds->is_array() || std::ssize(*seeds) > kMostPictures)
      fail("seeds: expected a list of at most {} seeds", kMostPictures);
    for (const json& seed : *seeds) {
      if (seed.is_null()) fail("seeds holds null: expected seeds alone");
      wish.seeds.push_back(*read_seed({{"seeds", seed}}, "seeds"));
    }
    return;
  }
  int64_t count = 1;
  read_field(body, "count", count, 1, kMostPictures);
  wish.seeds = seeds_from(read_seed(body, "seed").value_or(new_seed()), count);
}

}  // namespace

void read_field(const json& object, const char* key, std::string& value) {
  const json* given = field(object, key);
  if (!given) return;
  if (!given->is_string()) fail("{} is {}: expected a text", key, shown(*given));
  value = given->get<std::string>();
}

void read_field(const json& object, const char* key, int64_t& value, int64_t low, int64_t high) {
  const json* given = field(object, key);
  if (!given) return;
  // Some clients write 1 as 1.0.
  const bool is_whole = given->is_number() && given->get<double>() == std::floor(given->get<double>());
  if (!is_whole || given->get<double>() < static_cast<double>(low) || given->get<double>() > static_cast<double>(high))
    fail("{} is {}: expected a whole number, {} to {}", key, shown(*given), low, high);
  value = static_cast<int64_t>(given->get<double>());
}

void read_field(const json& object, const char* key, bool& value) {
  const json* given = field(object, key);
  if (!given) return;
  if (!given->is_boolean()) fail("{} is {}: expected true or false", key, shown(*given));
  value = given->get<bool>();
}

std::optional<uint64_t> read_seed(const json& object, const char* key) {
  const json* given = field(object, key);
  if (!given) return std::nullopt;
  if (given->is_number_unsigned()) return given->get<uint64_t>();
  if (*given == -1) return new_seed();
  fail("{} is {}: expected a whole number from 0 to 18446744073709551615, or -1 for a new one", key, shown(*given));
}

void read_picture(const json& value, const char* key, PictureFile& picture) {
  if (!value.is_string()) fail("{} is {}: expected a picture in base64", key, shown(value));
  std::string text = value.get<std::string>();
  if (text.starts_with("data:")) text = text.substr(std::min(text.size(), text.find(',') + 1));
  picture = {from_base64(text, key), key};
}

void read_settings(const json& object, SampleConfig& settings) {
  visit_choices([&](const Setting& setting, auto value) {
    if (const json* given = field(object, std::string(setting.key).c_str()))
      read_setting(*given, setting, value(settings));
  });
}

void read_setting(const json& object, const char* name, std::string_view key, SampleConfig& settings) {
  const json* given = field(object, name);
  if (!given) return;
  visit_choices([&](Setting setting, auto value) {
    if (setting.key != key) return;
    setting.key = name;  // for messages
    read_setting(*given, setting, value(settings));
  });
}

void read_wish(const json& object, Wish& wish) {
  read_field(object, "prompt", wish.prompt);
  read_field(object, "negative", wish.negative);
  if (const json* label = field(object, "class")) wish.label = text_of_label(*label);
  read_seeds(object, wish);
  if (field(object, "to_prompt")) read_field(object, "to_prompt", wish.to_prompt.emplace());
  wish.to_seed = read_seed(object, "to_seed");
  read_field(object, "frames", wish.frames, 2, kMostPictures);
  read_settings(object, wish.settings);
  if (const json* init = field(object, "init")) read_picture(*init, "init", wish.init);
  if (const json* mask = field(object, "mask")) read_picture(*mask, "mask", wish.mask);
}

uint64_t new_seed() {
  return std::random_device()();
}

std::vector<uint64_t> seeds_from(uint64_t first, int64_t count) {
  std::vector<uint64_t> seeds;
  for (int64_t i = 0; i < count; ++i) seeds.push_back(first + static_cast<uint64_t>(i));
  return seeds;
}

Order make_order(const std::string& name, const ModelCard& card, int64_t picture_size, const Wish& wish) {
  expect_prompt("prompt", wish.prompt);
  expect_prompt("negative", wish.negative);
  if (wish.to_prompt) expect_prompt("to_prompt", *wish.to_prompt);
  const UVitConfig& model = card.config.model;
  if (model.context_tokens == 0 && !(wish.prompt.empty() && wish.negative.empty() && !wish.to_prompt))
    fail("{} was trained without text, so it takes no prompt{}", name, model.classes > 0 ? " but a class" : "");
  Request common{.prompt = wish.prompt, .negative = wish.negative, .label = {}};
  if (!wish.label.empty()) common.label = parse_class(card, name, wish.label);
  common.to_prompt = wish.to_prompt;
  common.to_seed = wish.to_seed;

  const int64_t frames = wish.to_prompt || wish.to_seed ? wish.frames : 1;
  const int64_t count = std::ssize(wish.seeds) * frames;
  if (count < 1 || count > kMostPictures) fail("{} pictures are asked for: expected 1 to {}", count, kMostPictures);
  if (wish.settings.tile > 0 && card.config.data.latent_scale == 0)
    fail("tile is for models of latents: {} draws pixels", name);
  if (wish.settings.tile > 0 && wish.settings.tile < kSmallestTile)
    fail("tile is {}: expected {} or more, or 0", wish.settings.tile, kSmallestTile);
  Order order{.model = name, .requests = {}, .settings = wish.settings, .edit = {}};
  for (const uint64_t seed : wish.seeds)
    for (int64_t frame = 0; frame < frames; ++frame) {
      Request request = common;
      request.seed = seed;
      if (frames > 1) request.mix = static_cast<double>(frame) / static_cast<double>(frames - 1);
      request.number = std::ssize(order.requests);
      order.requests.push_back(std::move(request));
    }
  if (!wish.init.name.empty()) {
    order.edit = make_edit(wish.init, wish.mask, picture_size);
    if (order.settings.strength == 0) order.settings.strength = default_strength(*order.edit);
  } else if (!wish.mask.name.empty() || order.settings.strength > 0) {
    fail("{} needs the picture to start from", wish.mask.name.empty() ? "strength" : "a mask");
  }
  return order;
}

}  // namespace uvic
