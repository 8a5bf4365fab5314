// JSON of others: bounded in depth and in the number of its values, so that reading it takes no more than memory in
// proportion to the text and nothing that walks it runs out of stack. All JSON that is read is read here.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace uvic {

constexpr int kMostJsonLevels = 64;                    // no file of ours or of others has so many
constexpr int64_t kMostJsonValues = int64_t{1} << 25;  // a captions file of 500 MB has two thirds of it

// Error that names `what` ("the config x/config.json") if the text is not JSON, not UTF-8, or beyond the limits. A mark
// (BOM) before it is dropped. `Json` is nlohmann::json or nlohmann::ordered_json; `watch` sees every key and value.
template <class Json = nlohmann::json>
Json parse_json(std::string_view text, const std::string& what,
                const typename Json::parser_callback_t& watch = nullptr);

// Nothing in place of an Error: for lines that may be half written.
template <class Json = nlohmann::json>
std::optional<Json> try_parse_json(std::string_view text);

// Error as of read_file and parse_json; `what` names its role.
nlohmann::json read_json(const std::filesystem::path& path, std::string_view what);

// The value under `key` of an object. Error that names `what` and the key if there is no such object or key, or the
// value is of another type; a number must be finite, a whole one in the range.
int64_t json_whole(const nlohmann::json& object, const char* key, const std::string& what, int64_t least,
                   int64_t most = INT64_MAX);
double json_number(const nlohmann::json& object, const char* key, const std::string& what);
std::string json_string(const nlohmann::json& object, const char* key, const std::string& what);

void write_json(const std::filesystem::path& path,
                const nlohmann::ordered_json& json);  // atomically, for people to read

}  // namespace uvic
