#include "core/left_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "core/progress.h"

namespace uvic {
namespace {

constexpr const char* kUnreadable = "pictures that cannot be read";

// Of pictures a few, since each may be damaged in a way of its own.
int64_t named(const std::string& kind) {
  return kind == kUnreadable ? 5 : 1;
}

}  // namespace

void LeftOut::add(const std::string& problem) {
  add(kUnreadable, problem);
}

void LeftOut::add(const std::string& kind, const std::string& problem) {
  auto row = std::ranges::find(kinds_, kind, &Kind::name);
  if (row == kinds_.end()) row = kinds_.insert(row, {kind, 0, problem});
  if (++row->count <= named(kind)) warn(fmt::format("{}: {}; left out", what_, problem));
}

void LeftOut::finish() const {
  for (const Kind& kind : kinds_)
    if (const int64_t more = kind.count - named(kind.name); more > 0)
      warn(fmt::format("{}: {} more like these ({})", what_, more, kind.name));
}

int64_t LeftOut::count() const {
  return std::accumulate(kinds_.begin(), kinds_.end(), int64_t{0},
                         [](int64_t sum, const Kind& kind) { return sum + kind.count; });
}

}  // namespace uvic
