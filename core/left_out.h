// Files of a data set that cannot be used: the first few are named in warnings, the rest only counted.
#pragma once

#include <cstdint>
#include <string>

namespace uvic {

class LeftOut {
 public:
  // `what` names the data set in messages.
  explicit LeftOut(std::string what) : what_(std::move(what)) {}

  void add(const std::string& problem);  // the problem names the file
  void finish() const;                   // says how many more there were than were named
  int64_t count() const { return count_; }

 private:
  std::string what_;
  int64_t count_ = 0;
};

}  // namespace uvic
