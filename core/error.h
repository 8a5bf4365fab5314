// A mistake of the user (a path, an option, a file): one sentence that names the thing, what was expected, and the
// remedy.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>

namespace uvic {

class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Throws Error with a formatted message. `main` prints it as one line "error: ..." and exits with 1.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace uvic
