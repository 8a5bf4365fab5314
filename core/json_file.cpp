#include "core/json_file.h"

#include "core/error.h"
#include "core/files.h"

namespace uvic {

nlohmann::json read_json(const fs::path& path, std::string_view what) {
  // What walks a value calls itself for each level; no file of ours or of others has so many.
  constexpr int kMostLevels = 64;
  const auto check_depth = [&](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kMostLevels) fail("the {} {} has more than {} levels of nesting", what, path.string(), kMostLevels);
    return true;
  };
  try {
    return nlohmann::json::parse(read_file(path, what), check_depth);
  } catch (const nlohmann::json::exception& error) {
    fail("the {} {} is not JSON: {}", what, path.string(), error.what());
  }
}

void write_json(const fs::path& path, const nlohmann::ordered_json& json) {
  write_atomically(path, json.dump(2) + "\n");
}

}  // namespace uvic
