#include "app/cli/checks.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "core/text.h"

namespace uvic {

CLI::Validator one_of(const std::vector<std::string>& names) {
  const std::string list = fmt::format("{}", fmt::join(names, ", "));
  return {[names, list](std::string& value) {
            return std::ranges::count(names, value) > 0 ? std::string()
                                                        : fmt::format("'{}' is none of {}", value, list);
          },
          list};
}

CLI::Validator at_least(double low) {
  return {[low](std::string& text) {
            return std::strtod(text.c_str(), nullptr) >= low ? std::string()
                                                             : fmt::format("'{}': expected {} or more", text, low);
          },
          fmt::format(">= {}", low)};
}

CLI::Validator between(double low, double high) {
  return {[low, high](std::string& text) {
            const double value = std::strtod(text.c_str(), nullptr);
            return value >= low && value <= high ? std::string()
                                                 : fmt::format("'{}': expected {} to {}", text, low, high);
          },
          fmt::format("{} to {}", low, high)};
}

CLI::Validator boolean() {
  return {[](std::string& text) {
            if (text == "true" || text == "false") return std::string();
            return fmt::format("'{}': expected true or false", text);
          },
          ""};
}

CLI::Validator utf8() {
  return {[](std::string& text) {
            return is_utf8(text) ? std::string() : fmt::format("'{}': expected UTF-8", visible(text));
          },
          ""};
}

CLI::Validator device_name() {
  return {[](std::string& text) {
            static const std::regex pattern("cpu|cuda(:(0|[1-9][0-9]?))?");
            if (std::regex_match(text, pattern)) return std::string();
            return fmt::format("'{}': expected cpu, cuda or cuda:N", text);
          },
          ""};
}

}  // namespace uvic
