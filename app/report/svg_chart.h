// A line chart as SVG, for pages that work without script: it takes the width that it is given while its letters and
// lines keep their size. Colours and sizes are those of chart_style().
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace uvic {

struct ChartPoint {
  double x = 0, y = 0;
  std::optional<std::pair<double, double>> interval = {};  // drawn as a bar through the point
};

struct ChartSeries {
  std::string name;
  size_t number = 0;               // decides on the colour: the same for all that belongs together
  std::vector<ChartPoint> points;  // by x
  enum class Style {
    kLine,
    kFaint,
    kMarked
  } style = Style::kLine;  // kMarked: a dot at each point, which tells its numbers
};

struct Chart {
  std::string title;
  std::string remark = {};  // beside the title
  std::string x_label;
  std::vector<ChartSeries> series;
  bool is_large = false;
};

// A <figure>. What is not finite, or 1e200 and more, is left out. The y axis is logarithmic where all numbers are
// positive and the largest is more than twenty times the smallest. Whoever does not see the chart is told where each
// series begins and ends.
std::string to_html(const Chart& chart);

// So many series can be told apart: by colour, and the second half of them by dashes.
constexpr size_t kMostSeries = 12;

// The names of the series with their colours, in the order of their numbers.
std::string chart_legend(const std::vector<std::string>& names);

// CSS, with colours for light and dark pages.
std::string chart_style();

// The path through the points in a square of `side` units, whose y points downwards: "M0 500L1000 250". Points are
// {x, y} as shares of the square from the lower left.
std::string svg_path(const std::vector<std::pair<double, double>>& points, double side);

}  // namespace uvic
