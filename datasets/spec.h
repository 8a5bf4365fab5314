// A data SPEC names a data set on the command line: kind:PATH?option=value&option=value.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace uvic {

// The first '?' ends the path, so a path that holds one cannot be named; values cannot hold '&'.
struct Spec {
  std::string kind;  // a row of dataset_kinds()
  std::string path;  // "" for `shapes`
  std::map<std::string, std::string> options;

  // Error names the faulty part and shows an example, or says that the text is not UTF-8.
  static Spec parse(const std::string& text);
  std::string text() const;  // parse(text()) gives the same Spec

  // The option, or `fallback`. Error when it is no number (true, false), naming the option.
  std::string get(const std::string& name, const std::string& fallback) const;
  int64_t get_int(const std::string& name, int64_t fallback) const;
  bool get_bool(const std::string& name, bool fallback) const;

  // Error if an option is neither common nor one of `own`, listing those that are. Every kind calls it when it opens.
  void expect_options(std::initializer_list<std::string_view> own) const;
};

// Options every kind takes.
struct CommonOptions {
  std::string split = "train";  // train | test; `val` is read as test
  int64_t size = 0;             // square side in pixels; 0: the kind's own
  int64_t limit = 0;            // use the first so many images; 0: all
  bool strict = false;          // a corrupt image is an error instead of being skipped with a warning

  static CommonOptions of(const Spec& spec);  // Error names the option that is out of range
};

}  // namespace uvic
