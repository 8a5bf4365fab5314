#include "app/cli/json_lines.h"

#include <nlohmann/json.hpp>

#include "core/progress.h"
#include "core/text.h"

namespace uvic {

bool as_json() {
  return verbosity().json;
}

void print_json(const nlohmann::ordered_json& result) {
  // Names of files and captions of others need not be UTF-8.
  result_line(result.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void print_file(const std::filesystem::path& file) {
  if (as_json())
    print_json({{"file", file.string()}});
  else
    result_line(visible(file.string()));
}

}  // namespace uvic
