// The charts of runs: what their rows hold, over steps and over hours.
#pragma once

#include <string>
#include <vector>

#include "app/inspect/run_record.h"
#include "app/report/svg_chart.h"

namespace uvic {

// A run with the name that it goes by beside others.
struct NamedRun {
  std::string name;
  RunRecord record;
};

// Of a curve in a large chart and in the others; each is the mean of as many rows as it takes.
constexpr size_t kMostPoints = 1000, kFewerPoints = 250;

// The unit in which so many seconds are told.
struct TimeUnit {
  std::string name;  // "minutes"
  double seconds = 1;
};
TimeUnit time_unit(double seconds);

// Loss and scores first, then a chart for every other number that is in the rows, each with a curve for each run that
// has it. The loss is drawn thin as it was recorded and thick as smoothed() makes it.
std::vector<Chart> charts_of(const std::vector<NamedRun>& runs);

// The average of each with those before and behind it, one that is a hundredth of all points away (at least one)
// counting 1/e times as much. It does not lag behind, and near the ends takes what there is.
std::vector<ChartPoint> smoothed(const std::vector<ChartPoint>& points);

// At most so many, the means of neighbours.
std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points, size_t most);

}  // namespace uvic
