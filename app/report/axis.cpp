#include "app/report/axis.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace uvic {
namespace {

constexpr int kMostLogTicks = 8, kMostFullDecades = 3;  // full: with 2 and 5

// The smallest of 1, 2, 5 times a power of ten that is not below `least`.
double round_step(double least) {
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double digit : {1.0, 2.0, 5.0})
    if (digit * power >= least * (1 - 1e-9)) return digit * power;
  return 10 * power;
}

}  // namespace

double Axis::place(double value) const {
  if (is_log) return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
  return (value - low) / (high - low);
}

Axis linear_axis(double low, double high, int wanted, bool ends_at_high) {
  if (high - low <= 1e-12 * std::abs(high)) {  // one number: some room around it
    const double room = high == 0 ? 1 : std::abs(high) / 2;
    low -= low == 0 ? 0 : room;
    high += room;
  }
  const double step = round_step((high - low) / wanted);
  const double first = std::floor(low / step + 1e-9), last = ends_at_high ? high / step : std::ceil(high / step - 1e-9);
  Axis axis{.low = first * step, .high = last * step, .ticks = {}};
  for (double k = first; k <= last + 1e-9; ++k) axis.ticks.push_back(k * step);
  return axis;
}

Axis log_axis(double low, double high) {
  const int first = static_cast<int>(std::floor(std::log10(low))), last = static_cast<int>(std::ceil(std::log10(high)));
  const int decades = std::max(1, last - first), stride = (decades + kMostLogTicks - 1) / kMostLogTicks;
  const auto power = [](int exponent) { return std::pow(10.0, exponent); };
  std::vector<double> ticks;
  if (decades <= kMostFullDecades) {
    for (int exponent = first; exponent < first + decades; ++exponent)
      for (const int digit : {1, 2, 5}) ticks.push_back(digit * power(exponent));
    ticks.push_back(power(first + decades));
    // Those beyond the last one outside of the numbers.
    while (ticks.size() > 2 && ticks[1] <= low * (1 + 1e-9)) ticks.erase(ticks.begin());
    while (ticks.size() > 2 && ticks[ticks.size() - 2] >= high * (1 - 1e-9)) ticks.pop_back();
  } else {
    for (int exponent = first;; exponent += stride) {
      ticks.push_back(power(exponent));
      if (exponent >= last) break;
    }
  }
  return {.low = ticks.front(), .high = ticks.back(), .is_log = true, .ticks = ticks};
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size >= 1e12 || (size > 0 && size < 1e-3)) {
    // 5e-05 as 5e-5, 1e+12 as 1e12
    std::string text = fmt::format("{:.3g}", value);
    for (const char* filler : {"e-0", "e+0", "e+"})
      if (const size_t at = text.find(filler); at != std::string::npos)
        text.replace(at, std::strlen(filler), filler[1] == '-' ? "e-" : "e");
    return text;
  }
  if (size >= 1e9) return fmt::format("{:.4g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:.4g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.4g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

}  // namespace uvic
