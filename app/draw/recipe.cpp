#include "app/draw/recipe.h"

#include <charconv>
#include <map>

#include "app/draw/recipe_words.h"
#include "app/model/model.h"
#include "core/error.h"
#include "core/formats/json_file.h"
#include "core/text.h"
#include "encoders/tiled_decode.h"

namespace uvic {
namespace {

// A value that could be taken for more than one stands as a JSON string, as the web UI writes it.
std::string quoted(const std::string& value) {
  const std::string valid = valid_utf8(value);
  return valid.find_first_of(",:\"\\\r\n") == std::string::npos ? valid : nlohmann::json(valid).dump();
}

// The value at `at`, which moves behind it.
std::string take_value(const std::string& line, size_t& at) {
  const size_t begin = at;
  if (at < line.size() && line[at] == '"') {
    size_t end = at + 1;
    while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2 : 1;
    if (end < line.size()) {
      const auto value = try_parse_json(line.substr(begin, end + 1 - begin));
      if (value && value->is_string()) {
        at = end + 1;
        return *value;
      }
    }
  }
  at = std::min(line.find(", ", begin), line.size());
  return line.substr(begin, at - begin);
}

// "Key: value, Key: value"
std::map<std::string, std::string> parse_fields(const std::string& line) {
  std::map<std::string, std::string> fields;
  for (size_t at = 0; at < line.size();) {
    const size_t colon = line.find(": ", at);
    if (colon == std::string::npos) break;
    const std::string key = line.substr(at, colon - at);
    at = colon + 2;
    fields[key] = take_value(line, at);
    at = line.find(", ", at);
    if (at == std::string::npos) break;
    at += 2;
  }
  return fields;
}

constexpr std::string_view kNegative = "Negative prompt: ", kSteps = "Steps: ";

struct Prompts {
  std::string prompt, negative;

  std::string text() const { return negative.empty() ? prompt : fmt::format("{}\n{}{}", prompt, kNegative, negative); }
  bool operator==(const Prompts&) const = default;
};

// Where the last line that starts with `mark` begins.
size_t last_line(const std::string& text, std::string_view mark) {
  const size_t found = text.rfind("\n" + std::string(mark));
  if (found != std::string::npos) return found + 1;
  return text.starts_with(mark) ? 0 : std::string::npos;
}

// The text before a line, without the line break between them.
std::string before(const std::string& text, size_t line) {
  return text.substr(0, line - (line > 0));
}

Prompts split_prompts(const std::string& text) {
  const size_t negative = last_line(text, kNegative);
  if (negative == std::string::npos) return {text, ""};
  return {before(text, negative), text.substr(negative + kNegative.size())};
}

// A prompt may itself contain a line like "Negative prompt: ..."; it is then repeated in fields of ours.
constexpr const char* kExactPrompt = "Exact prompt";
constexpr const char* kExactNegative = "Exact negative prompt";

std::string adapter_key(size_t i) {
  return fmt::format("Adapter {}", i + 1);
}

// "NAME:HASH:WEIGHT"; a name may have colons itself.
AdapterUse parse_adapter_use(const std::string& text) {
  const size_t weight = text.rfind(':'), hash = weight == std::string::npos ? weight : text.rfind(':', weight - 1);
  if (hash == std::string::npos || hash == weight) fail("adapters are '{}', expected NAME:HASH:WEIGHT", text);
  return {text.substr(0, hash), text.substr(hash + 1, weight - hash - 1),
          parse_number<double>(text.substr(weight + 1), "weight of adapters")};
}

}  // namespace

std::string adapter_text(const AdapterUse& use) {
  return fmt::format("{}:{}:{}", use.name, use.hash, use.weight);
}

std::string to_parameters(const Recipe& r) {
  const Prompts prompts{valid_utf8(r.prompt), valid_utf8(r.negative)};
  const RecipeWords words = recipe_words(r.settings);
  std::string text = prompts.text() + "\n";
  for (const auto& [name, value] : words.first)
    text += fmt::format("{}{}: {}", text.ends_with('\n') ? "" : ", ", name, quoted(value));
  text += fmt::format(", Seed: {}, Size: {}x{}", r.seed, r.width, r.height);
  for (const auto& [name, value] : words.others) text += fmt::format(", {}: {}", name, quoted(value));
  if (!r.image_hash.empty()) text += fmt::format(", Init image hash: {}", quoted(r.image_hash));
  if (!r.mask_hash.empty()) text += fmt::format(", Mask hash: {}", quoted(r.mask_hash));
  if (r.to_prompt) text += fmt::format(", To prompt: {}", quoted(*r.to_prompt));
  if (r.to_seed) text += fmt::format(", To seed: {}", *r.to_seed);
  if (r.to_prompt || r.to_seed) text += fmt::format(", Mix: {}", r.mix);
  if (r.label) text += fmt::format(", Class: {}", *r.label);
  if (!r.label_name.empty()) text += fmt::format(", Class name: {}", quoted(r.label_name));
  if (!(split_prompts(prompts.text()) == prompts))
    text +=
        fmt::format(", {}: {}, {}: {}", kExactPrompt, quoted(prompts.prompt), kExactNegative, quoted(prompts.negative));
  for (size_t i = 0; i < r.adapters.size(); ++i)
    text += fmt::format(", {}: {}", adapter_key(i), quoted(adapter_text(r.adapters[i])));
  return text + fmt::format(", Model hash: {}, Model: {}, Version: {}", quoted(r.model_hash), quoted(r.model),
                            quoted(r.version));
}

Recipe parse_parameters(const std::string& given, const std::string& origin) {
  const std::string text = valid_utf8(given);
  const size_t last = last_line(text, kSteps);
  if (last == std::string::npos) fail("{}: its 'parameters' text is no recipe: no line starts with 'Steps:'", origin);
  const auto fields = parse_fields(text.substr(last));
  const auto get = [&](const std::string& key) {
    const auto found = fields.find(key);
    return found == fields.end() ? std::string() : found->second;
  };
  const Prompts prompts = fields.contains(kExactPrompt) ? Prompts{get(kExactPrompt), get(kExactNegative)}
                                                        : split_prompts(before(text, last));
  Recipe r;
  r.prompt = prompts.prompt;
  r.negative = prompts.negative;
  try {
    r.settings = parse_recipe_words<SampleConfig>(fields);
    if (const int64_t tile = r.settings.tile; tile != 0 && tile < kSmallestTile)
      fail("Decoder tile {} is below {}", tile, kSmallestTile);
    if (const double scale = r.settings.latent_scale; scale != 0 && scale < kSmallestScale)
      fail("Latent scale {} is no number from {} on", scale, kSmallestScale);
    r.seed = parse_number<uint64_t>(get("Seed"), "Seed");
    if (fields.contains("To seed")) r.to_seed = parse_number<uint64_t>(get("To seed"), "To seed");
    if (fields.contains("Mix")) r.mix = parse_number<double>(get("Mix"), "Mix");
    if (fields.contains("Class")) r.label = parse_number<int64_t>(get("Class"), "Class");
    for (size_t i = 0; fields.contains(adapter_key(i)); ++i)
      r.adapters.push_back(parse_adapter_use(get(adapter_key(i))));
    const std::string size = get("Size");
    const size_t cross = std::min(size.find('x'), size.size());
    r.width = parse_number<int64_t>(size.substr(0, cross), "Size");
    r.height = parse_number<int64_t>(size.substr(std::min(cross + 1, size.size())), "Size");
  } catch (const Error& error) {
    fail("{}: its recipe is damaged: {}", origin, error.what());
  }
  if (fields.contains("To prompt")) r.to_prompt = get("To prompt");
  r.image_hash = get("Init image hash");
  r.mask_hash = get("Mask hash");
  r.label_name = get("Class name");
  r.model = get("Model");
  r.model_hash = get("Model hash");
  r.version = get("Version");
  return r;
}

Recipe read_recipe(const std::filesystem::path& png) {
  for (const auto& [key, value] : read_png_text(png))
    if (key == kParametersKey) return parse_parameters(value, png.string());
  fail("{} carries no recipe (no 'parameters' text)", png.string());
}

}  // namespace uvic
