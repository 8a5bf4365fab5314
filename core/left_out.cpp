#include "core/left_out.h"

#include <fmt/format.h>

#include "core/progress.h"

namespace uvic {
namespace {

constexpr int64_t kNamed = 5;

}  // namespace

void LeftOut::add(const std::string& problem) {
  if (++count_ <= kNamed) warn(fmt::format("{}: {}; left out", what_, problem));
}

void LeftOut::finish() const {
  if (count_ > kNamed) warn(fmt::format("{}: {} more like these", what_, count_ - kNamed));
}

}  // namespace uvic
