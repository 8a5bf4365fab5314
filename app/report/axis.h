// The axes of a chart: where a number lies on one, and the round numbers that are written beside it.
#pragma once

#include <string>
#include <vector>

namespace uvic {

struct Axis {
  double low = 0, high = 1;  // low < high
  bool is_log = false;
  std::vector<double> ticks;  // rising, from low to high

  // 0 at `low`, 1 at `high`; of a logarithmic axis for positive numbers only.
  double place(double value) const;
};

// With ticks at multiples of 1, 2 or 5 times a power of ten, about `wanted` of them. Both ends are ticks, so that the
// axis may reach beyond the numbers; `ends_at_high`: it ends with the highest number. Numbers between -1e200 and 1e200,
// low <= high.
Axis linear_axis(double low, double high, int wanted, bool ends_at_high = false);
// 0 < low <= high. Ticks at 1, 2 and 5 times the powers of ten, or at every, every second ... power alone if those
// would be many.
Axis log_axis(double low, double high);

// Short: 1200, 15k, 2.5M, 0.02, 5e-5.
std::string tick_text(double value);

}  // namespace uvic
