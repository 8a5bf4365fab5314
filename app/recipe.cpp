#include "app/recipe.h"

#include <map>

#include "core/error.h"

namespace uvic {
namespace {

// A value with a comma, colon or quote stands in double quotes with \ escapes, as the web UI writes it.
std::string quoted(const std::string& value) {
  if (value.find_first_of(",:\"\\\n") == std::string::npos) return value;
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    if (c == '\n')
      text += "\\n";
    else
      text += c;
  }
  return text + "\"";
}

// "Key: value, Key: value"
std::map<std::string, std::string> parse_fields(const std::string& line) {
  std::map<std::string, std::string> fields;
  size_t at = 0;
  while (at < line.size()) {
    const size_t colon = line.find(": ", at);
    if (colon == std::string::npos) break;
    const std::string key = line.substr(at, colon - at);
    std::string value;
    at = colon + 2;
    if (at < line.size() && line[at] == '"') {
      for (++at; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) {
          ++at;
          value += line[at] == 'n' ? '\n' : line[at];
        } else {
          value += line[at];
        }
      }
      at = line.find(", ", at);
    } else {
      const size_t end = line.find(", ", at);
      value = line.substr(at, end == std::string::npos ? end : end - at);
      at = end;
    }
    fields[key] = value;
    if (at == std::string::npos) break;
    at += 2;
  }
  return fields;
}

constexpr std::string_view kNegative = "Negative prompt: ";

}  // namespace

std::string to_parameters(const Recipe& r) {
  std::string text = r.prompt + "\n";
  if (!r.negative.empty()) text += std::string(kNegative) + r.negative + "\n";
  text += fmt::format("Steps: {}, Sampler: {}, CFG scale: {}, Seed: {}, Size: {}x{}", r.steps, quoted(r.sampler),
                      r.cfg_scale, r.seed, r.width, r.height);
  if (r.eta != 0) text += fmt::format(", Eta: {}", r.eta);
  if (r.clip_x0) text += ", Clip x0: true";
  if (r.label) text += fmt::format(", Class: {}", *r.label);
  if (!r.label_name.empty()) text += fmt::format(", Class name: {}", quoted(r.label_name));
  return text + fmt::format(", Model hash: {}, Model: {}, Version: {}", r.model_hash, quoted(r.model), quoted(r.version));
}

Recipe parse_parameters(const std::string& text, const std::string& origin) {
  const size_t last = text.rfind("\nSteps: ");
  if (last == std::string::npos) fail("{}: its 'parameters' text is no recipe: no line starts with 'Steps:'", origin);
  Recipe r;
  r.prompt = text.substr(0, last);
  const auto fields = parse_fields(text.substr(last + 1));
  const size_t negative = r.prompt.rfind("\n" + std::string(kNegative));
  if (negative != std::string::npos) {
    r.negative = r.prompt.substr(negative + 1 + kNegative.size());
    r.prompt.resize(negative);
  }
  const auto get = [&](const std::string& key) {
    const auto found = fields.find(key);
    return found == fields.end() ? std::string() : found->second;
  };
  try {
    r.steps = std::stoll(get("Steps"));
    r.sampler = get("Sampler");
    r.seed = std::stoull(get("Seed"));
    if (fields.count("CFG scale")) r.cfg_scale = std::stod(get("CFG scale"));
    if (fields.count("Eta")) r.eta = std::stod(get("Eta"));
    if (fields.count("Class")) r.label = std::stoll(get("Class"));
    const std::string size = get("Size");
    r.width = std::stoll(size);
    r.height = std::stoll(size.substr(size.find('x') + 1));
  } catch (const std::exception&) {
    fail("{}: its recipe lacks a readable Steps, Seed or Size: {}", origin, text.substr(last + 1));
  }
  r.clip_x0 = get("Clip x0") == "true";
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
