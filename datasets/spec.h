// A data SPEC names a data set on the command line: kind:PATH?option=value&option=value.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace uvic {

struct Spec {
  std::string kind;  // a row of dataset_kinds()
  std::string path;  // "" for `shapes`
  std::map<std::string, std::string> options;

  static Spec parse(const std::string& text);  // Error names the faulty part and shows an example
  std::string text() const;                    // parse(text()) gives the same Spec

  // The option, or `fallback`. Error when it is no number, naming the option.
  std::string get(const std::string& name, const std::string& fallback) const;
  int64_t get_int(const std::string& name, int64_t fallback) const;
  bool get_bool(const std::string& name, bool fallback) const;
};

// Options every kind takes.
struct CommonOptions {
  std::string split = "train";  // train | test (coco and folder: val means test)
  int64_t size = 0;             // square side in pixels; 0: the kind's own
  int64_t limit = 0;            // use the first so many images; 0: all
  bool strict = false;          // a corrupt image is an error instead of being skipped with a warning
};

}  // namespace uvic
