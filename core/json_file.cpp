#include "core/json_file.h"

#include "core/error.h"
#include "core/files.h"

namespace uvic {

nlohmann::json read_json(const fs::path& path, std::string_view what) {
  try {
    return nlohmann::json::parse(read_file(path, what));
  } catch (const nlohmann::json::exception& error) {
    fail("the {} {} is not JSON: {}", what, path.string(), error.what());
  }
}

}  // namespace uvic
