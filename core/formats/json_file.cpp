#include "core/formats/json_file.h"

#include <array>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"
#include "core/text_file.h"

namespace uvic {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr size_t kShown = 80;  // characters of a faulty value

std::string excerpt(const json& value) {
  return shortened(visible(value.dump()), kShown);
}

// Where the string that begins at `at`, a quote, ends: behind its closing quote.
size_t end_of_string(std::string_view text, size_t at) {
  while (true) {
    const size_t quote = text.find('"', at + 1);
    if (quote == std::string_view::npos) return text.size();
    size_t slashes = 0;
    while (text[quote - 1 - slashes] == '\\') ++slashes;
    if (slashes % 2 == 0) return quote + 1;
    at = quote;
  }
}

// What exceeds the limits, "" if nothing. The parser reads no token that is not seen here, and for valid text the same
// ones, so it need not be valid.
std::string beyond_limits(std::string_view text) {
  enum : char { kOther, kQuote, kOpen, kClose, kComma };
  static constexpr auto kKinds = [] {
    std::array<char, 256> kinds{};
    kinds['"'] = kQuote, kinds['['] = kinds['{'] = kOpen, kinds[']'] = kinds['}'] = kClose, kinds[','] = kComma;
    return kinds;
  }();
  int64_t levels = 0, values = 1;
  for (size_t at = 0; at < text.size();) {
    switch (kKinds[static_cast<unsigned char>(text[at])]) {
      case kQuote:
        at = end_of_string(text, at);
        continue;
      case kOpen:
        ++values;
        if (++levels > kMostJsonLevels) return fmt::format("more than {} levels of nesting", kMostJsonLevels);
        break;
      case kClose:
        --levels;
        break;
      case kComma:
        ++values;
        break;
      default:
        break;
    }
    ++at;
  }
  return values > kMostJsonValues ? fmt::format("more than {} values", kMostJsonValues) : "";
}

// "parse error at line 1, column 5: ..." without the name of the exception and what was read last, which may be long.
std::string complaint(const std::string& what) {
  const size_t begin = what.find("] ");
  const std::string text = what.substr(begin == std::string::npos ? 0 : begin + 2);
  return text.substr(0, text.find("; last read"));
}

const json& member(const json& object, const char* key, const std::string& what) {
  const auto found = object.find(key);
  if (found == object.end()) fail("{}: there is no \"{}\"", what, key);
  return *found;
}

}  // namespace

template <class Json>
Json parse_json(std::string_view text, const std::string& what, const typename Json::parser_callback_t& watch) {
  if (const std::string beyond = beyond_limits(text); !beyond.empty()) fail("{} has {}", what, beyond);
  try {
    return Json::parse(text, watch);
  } catch (const nlohmann::json::exception& error) {
    as_text(text, what);  // the better complaint about other encodings
    fail("{} is not JSON: {}", what, complaint(error.what()));
  }
}

template <class Json>
std::optional<Json> try_parse_json(std::string_view text) {
  if (!beyond_limits(text).empty()) return std::nullopt;
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return std::nullopt;
  return value;
}

template json parse_json<json>(std::string_view, const std::string&, const json::parser_callback_t&);
template ordered_json parse_json<ordered_json>(std::string_view, const std::string&,
                                               const ordered_json::parser_callback_t&);
template std::optional<json> try_parse_json<json>(std::string_view);
template std::optional<ordered_json> try_parse_json<ordered_json>(std::string_view);

json read_json(const fs::path& path, std::string_view what) {
  return parse_json(read_file(path, what), fmt::format("the {} {}", what, path.string()));
}

int64_t json_whole(const json& object, const char* key, const std::string& what, int64_t least, int64_t most) {
  const json& value = member(object, key, what);
  const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= INT64_MAX : value.is_number_integer();
  if (!fits || value.get<int64_t>() < least || value.get<int64_t>() > most)
    fail("{}: \"{}\" is {}, expected a whole number{}", what, key, excerpt(value),
         least < 0          ? ""
         : most < INT64_MAX ? fmt::format(" of {} to {}", least, most)
                            : fmt::format(" of {} or more", least));
  return value.get<int64_t>();
}

double json_number(const json& object, const char* key, const std::string& what) {
  const json& value = member(object, key, what);
  if (!value.is_number() || !std::isfinite(value.get<double>()))
    fail("{}: \"{}\" is {}, expected a number", what, key, excerpt(value));
  return value.get<double>();
}

std::string json_string(const json& object, const char* key, const std::string& what) {
  const json& value = member(object, key, what);
  if (!value.is_string()) fail("{}: \"{}\" is {}, expected text in quotes", what, key, excerpt(value));
  return value.get<std::string>();
}

void write_json(const fs::path& path, const ordered_json& json) {
  write_atomically(path, json.dump(2) + "\n");
}

}  // namespace uvic
