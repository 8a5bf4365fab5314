#include "app/json_lines.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/progress.h"

namespace uvic {

bool as_json() {
  return verbosity().json;
}

void print_json(const nlohmann::ordered_json& result) {
  // Names of files and captions of others need not be UTF-8.
  fmt::print("{}\n", result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace uvic
