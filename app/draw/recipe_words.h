// The settings of a drawing as words of a recipe, "CFG scale: 2.5"; Config::visit() lists them
// (app/cli/sample_config.h).
#pragma once

#include <charconv>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/sample_config.h"
#include "core/error.h"

namespace uvic {

// {"Steps", "20"}, ...: those with a place in every recipe, in that order, then those that are not the default.
struct RecipeWords {
  std::vector<std::pair<std::string, std::string>> first, others;
};
template <class Config>
RecipeWords recipe_words(const Config& config) {
  const Config usual;
  std::map<int, std::pair<std::string, std::string>> placed;
  RecipeWords words;
  Config::visit([&](const Setting& setting, auto field) {
    const std::pair word(std::string(setting.recipe), setting_text(field(config)));
    if (setting.place > 0)
      placed[setting.place] = word;
    else if (field(config) != field(usual))
      words.others.push_back(word);
  });
  for (const auto& [place, word] : placed) words.first.push_back(word);
  return words;
}

// Error naming the setting unless all of the text is such a number.
template <class T>
T parse_number(const std::string& text, std::string_view name) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail("{}",
         text.empty() ? fmt::format("it has no '{}'", name) : fmt::format("{} is '{}', no such number", name, text));
  return value;
}

// The settings that the words say, the default for all others. Error for values that a setting cannot have.
template <class Config>
Config parse_recipe_words(const std::map<std::string, std::string>& words) {
  Config config;
  Config::visit([&](const Setting& setting, auto field) {
    const auto found = words.find(std::string(setting.recipe));
    if (found == words.end()) return;
    auto& value = field(config);
    using T = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<T, std::string>) {
      value = found->second;
    } else if constexpr (std::is_same_v<T, bool>) {
      value = found->second == "true";
    } else {
      value = parse_number<T>(found->second, setting.recipe);
      const auto number = static_cast<double>(value);
      if (!(std::isfinite(number) && number >= setting.low && number <= setting.high))
        fail("{} is {}, expected {}", setting.recipe, value,
             std::isfinite(setting.high) ? fmt::format("{} to {}", setting.low, setting.high)
                                         : fmt::format("{} or more", setting.low));
    }
  });
  return config;
}

}  // namespace uvic
