#include "app/cli/init_config.h"

#include "core/error.h"

namespace uvic {

Allowed parse_allowed(const std::string& text) {
  Allowed allowed;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (word != "new" && word != "missing") fail("'{}': expected new, missing, or new,missing", text);
    (word == "new" ? allowed.fresh : allowed.missing) = true;
    begin = end + 1;
  }
  return allowed;
}

}  // namespace uvic
