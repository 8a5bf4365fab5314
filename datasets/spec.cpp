#include "datasets/spec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.h"
#include "core/text.h"

namespace uvic {
namespace {

constexpr std::string_view kExample =
    "expected kind:PATH?option=value&option=value, e.g. cifar10:data?split=test&limit=512";
constexpr std::array<std::string_view, 4> kCommonOptions = {"split", "size", "limit", "strict"};
constexpr int64_t kMaxSize = 4096;

}  // namespace

Spec Spec::parse(const std::string& text) {
  // It stands in configs and indexes, which are UTF-8.
  if (!is_utf8(text)) fail("data '{}' is not UTF-8: rename the file or folder, or make a link to it", visible(text));
  Spec spec;
  const size_t question = text.find('?');
  const std::string place = text.substr(0, question);
  const size_t colon = place.find(':');
  spec.kind = place.substr(0, colon);
  if (colon != std::string::npos) spec.path = place.substr(colon + 1);
  if (spec.kind.empty()) fail("data '{}' names no kind: {}", text, kExample);
  if (spec.kind.find_first_of("/.\\~") != std::string::npos)
    fail("data '{}' begins with a path: put the kind before it, e.g. folder:{}", text, text);
  if (question == std::string::npos) return spec;

  for (size_t begin = question + 1; begin <= text.size();) {
    const size_t end = std::min(text.find('&', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const size_t equals = item.find('=');
    if (item.empty()) fail("data '{}' has an empty option: {}", text, kExample);
    if (equals == 0) fail("data '{}': '{}' has no name before '=': {}", text, item, kExample);
    if (equals == std::string::npos || equals + 1 == item.size())
      fail("data '{}': option '{}' has no value: {}", text, item.substr(0, equals), kExample);
    if (!spec.options.emplace(item.substr(0, equals), item.substr(equals + 1)).second)
      fail("data '{}' gives option '{}' twice", text, item.substr(0, equals));
    begin = end + 1;
  }
  return spec;
}

std::string Spec::text() const {
  std::string text = kind;
  if (!path.empty()) text += ":" + path;
  char separator = '?';
  for (const auto& [name, value] : options) {
    text += separator + name + "=" + value;
    separator = '&';
  }
  return text;
}

std::string Spec::get(const std::string& name, const std::string& fallback) const {
  const auto found = options.find(name);
  return found == options.end() ? fallback : found->second;
}

int64_t Spec::get_int(const std::string& name, int64_t fallback) const {
  const auto found = options.find(name);
  if (found == options.end()) return fallback;
  const std::string& value = found->second;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size())
    fail("data '{}': option '{}' must be a whole number, not '{}'", text(), name, value);
  return number;
}

bool Spec::get_bool(const std::string& name, bool fallback) const {
  const std::string value = get(name, fallback ? "true" : "false");
  if (value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  fail("data '{}': option '{}' must be true or false, not '{}'", text(), name, value);
}

void Spec::expect_options(std::initializer_list<std::string_view> own) const {
  for (const auto& [name, value] : options) {
    if (std::ranges::find(kCommonOptions, name) != kCommonOptions.end()) continue;
    if (std::ranges::find(own, name) != own.end()) continue;
    std::string known;
    for (const auto option : kCommonOptions) known += (known.empty() ? "" : ", ") + std::string(option);
    for (const auto option : own) known += ", " + std::string(option);
    fail("data '{}': {} has no option '{}': expected one of {}", text(), kind, name, known);
  }
}

CommonOptions CommonOptions::of(const Spec& spec) {
  CommonOptions options;
  options.split = spec.get("split", options.split);
  if (options.split == "val") options.split = "test";
  if (options.split != "train" && options.split != "test")
    fail("data '{}': option 'split' must be train, test or val, not '{}'", spec.text(), options.split);
  options.size = spec.get_int("size", 0);
  if (options.size < 0 || options.size > kMaxSize)
    fail("data '{}': option 'size' must be 1 to {} pixels, not {}", spec.text(), kMaxSize, options.size);
  options.limit = spec.get_int("limit", 0);
  if (options.limit < 0)
    fail("data '{}': option 'limit' must be a number of images (0: all), not {}", spec.text(), options.limit);
  options.strict = spec.get_bool("strict", options.strict);
  return options;
}

}  // namespace uvic
