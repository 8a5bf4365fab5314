// A registry is a constexpr table of rows. Help texts, validation and tests all read the same table, so adding a kind
// is one row.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace uvic {

template <class T>
struct Entry {
  std::string_view name;
  T value;
  std::string_view summary;  // one line for --help
};

// "a, b, c"
template <class T>
std::string names(std::span<const Entry<T>> table) {
  std::string list;
  for (const auto& entry : table) list += (list.empty() ? "" : ", ") + std::string(entry.name);
  return list;
}

template <class T>
std::vector<std::string> names_in(std::span<const Entry<T>> table) {
  std::vector<std::string> all;
  for (const auto& entry : table) all.emplace_back(entry.name);
  return all;
}

// The row of that name; Error lists the known names. `what` names the kind of thing, e.g. "sampler".
template <class T>
const Entry<T>& find(std::span<const Entry<T>> table, std::string_view name, std::string_view what) {
  for (const auto& entry : table)
    if (entry.name == name) return entry;
  fail("unknown {} '{}': expected one of {}", what, name, names(table));
}

// The name of the row with that value.
template <class T>
std::string_view name_of(std::span<const Entry<T>> table, const T& value) {
  for (const auto& entry : table)
    if (entry.value == value) return entry.name;
  fail("no row of {} has this value", names(table));
}

}  // namespace uvic
