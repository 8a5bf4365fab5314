#include "app/draw/drawn_before.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

std::string digest(const std::string& key, Recipe recipe) {
  constexpr size_t kDigits =
      15;  // no two of a billion are likely to be equal, and such a string needs no memory of its own
  recipe.model = recipe.label_name = recipe.version = "";
  for (AdapterUse& use : recipe.adapters) use.name = "";
  return sha256_of_bytes(key + '\n' + to_parameters(recipe)).substr(0, kDigits);
}

std::vector<std::string> pngs_in(const fs::path& folder) {
  std::vector<std::string> names;
  if (!fs::exists(folder)) return names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::error_code error;
    if (entry.path().extension() == ".png" && entry.is_regular_file(error))
      names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// None if the file is damaged.
PngText texts_of(const fs::path& png) {
  try {
    return read_png_text(png);
  } catch (const Error&) {
    return {};
  }
}

// Other programs have other texts.
std::optional<Recipe> recipe_in(const std::string& text) {
  try {
    return parse_parameters(text, "");
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

bool carries(const fs::path& png, const std::string& key, const Recipe& recipe) {
  if (!fs::exists(png)) return false;
  for (const auto& [its_key, text] : texts_of(png))
    if (const auto its = recipe_in(text); its && digest(its_key, *its) == digest(key, recipe)) return true;
  return false;
}

DrawnBefore::DrawnBefore(const fs::path& folder) : folder_(folder) {
  const std::vector<std::string> names = pngs_in(folder);
  Progress progress("looking at " + folder.string(), std::ssize(names), "image");
  int64_t done = 0;
  for (const std::string& name : names) {
    stop_if_interrupted();
    for (const auto& [key, text] : texts_of(folder / name))
      if (const auto recipe = recipe_in(text)) names_.emplace(digest(key, *recipe), name);
    progress.update(++done);
  }
}

std::optional<fs::path> DrawnBefore::take(const std::string& key, const Recipe& recipe) {
  const auto found = names_.find(digest(key, recipe));
  if (found == names_.end()) return std::nullopt;
  const fs::path path = folder_ / found->second;
  names_.erase(found);
  return path;
}

}  // namespace uvic
