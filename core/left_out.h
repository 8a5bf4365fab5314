// What a data set does not use, by kind: the first of each are named in warnings, the rest only counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace uvic {

class LeftOut {
 public:
  struct Kind {
    std::string name;  // "files without an ending"
    int64_t count = 0;
    std::string first;  // what is wrong with the first one, which it names
  };

  // `what` names the data set in messages.
  explicit LeftOut(std::string what) : what_(std::move(what)) {}

  void add(const std::string& problem);  // a picture that cannot be read; the problem names it
  void add(const std::string& kind, const std::string& problem);
  void finish() const;  // says how many more there were than were named
  const std::string& what() const { return what_; }
  int64_t count() const;
  const std::vector<Kind>& kinds() const { return kinds_; }

 private:
  std::string what_;
  std::vector<Kind> kinds_;  // in the order of their first ones
};

}  // namespace uvic
