// Checks of option values. What they refuse is a usage error: one line that says what was expected, and exit code 2.
#pragma once

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <string>

#include "core/registry.h"

namespace uvic {

// One of the names, or of those in the table; --help shows them.
CLI::Validator one_of(const std::vector<std::string>& names);
template <class T>
CLI::Validator one_of(std::span<const Entry<T>> table) {
  return one_of(names_in(table));
}

// What `parse` takes without an Error.
template <class F>
CLI::Validator taken_by(F parse) {
  return {[parse](std::string& text) {
            try {
              parse(text);
              return std::string();
            } catch (const Error& error) {
              return std::string(error.what());
            }
          },
          ""};
}

// Whether all of the text is one number of that type; CLI11 itself also takes "" for 0, "1e" for 1 and 0x10 for 16.
template <class T>
bool is_number(const std::string& text) {
  T value{};
  const char* const begin = text.data() + text.starts_with('+');
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if constexpr (std::is_floating_point_v<T>) return std::isfinite(value);
  return true;
}

template <class T>
CLI::Validator number() {
  static constexpr std::string_view kExpected = std::is_floating_point_v<T> ? "a finite number"
                                                : std::is_unsigned_v<T>     ? "a whole number, 0 or more"
                                                                            : "a whole number";
  return {[](std::string& text) {
            return is_number<T>(text) ? std::string() : fmt::format("'{}': expected {}", text, kExpected);
          },
          ""};
}

// These two are for numbers, so they come after number().
CLI::Validator at_least(double low);
CLI::Validator between(double low, double high);

CLI::Validator boolean();

// Text that may stand in a config or in metadata: UTF-8.
CLI::Validator utf8();

// Whatever is a value of type T.
template <class T>
CLI::Validator value_of() {
  if constexpr (std::is_same_v<T, bool>)
    return boolean();
  else if constexpr (std::is_arithmetic_v<T>)
    return number<T>();
  else
    return utf8();
}

// cpu, cuda or cuda:N; whether the machine has it is another question.
CLI::Validator device_name();

}  // namespace uvic
