#include "app/cli/unexpected.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace uvic {
namespace {

// How many letters must be put in, left out or changed (Levenshtein).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] != b[j])}));
  }
  return row.back();
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (const CLI::App* command : app.get_subcommands()) {
    const std::vector<std::string> below = names_of(*command);
    names.insert(names.end(), below.begin(), below.end());
  }
  return names;
}

}  // namespace

std::string unexpected(const CLI::App& app, const std::vector<std::string>& words) {
  const std::vector<std::string> names = names_of(app);
  std::vector<std::string> meant;
  for (const std::string& word : words) {
    if (!word.starts_with("--")) continue;
    const std::string name = word.substr(0, word.find('='));
    const auto near = [&](const std::string& a, const std::string& b) { return distance(a, name) < distance(b, name); };
    const std::string nearest = *std::min_element(names.begin(), names.end(), near);
    if (distance(nearest, name) <= 1 + name.size() / 5) meant.push_back(nearest);
  }
  return fmt::format("not expected: {}{}", fmt::join(words, " "),
                     meant.empty() ? "" : fmt::format(" (did you mean {}?)", fmt::join(meant, ", ")));
}

}  // namespace uvic
