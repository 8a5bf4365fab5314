#include "app/report/svg_chart.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "app/report/axis.h"
#include "app/report/html.h"

namespace uvic {
namespace {

constexpr double kSide = 1000;   // of the square that a path is drawn in, before it is stretched
constexpr double kLogFrom = 20;  // the largest number over the smallest
constexpr int kTicksX = 5, kTicksY = 4;

// Told apart in all common kinds of colour blindness, and from their page (3:1 at least, WCAG 2.1).
struct Colour {
  const char *light, *dark;
};
constexpr std::array<Colour, kMostSeries / 2> kColours{Colour{"#0063a6", "#62b5f0"}, Colour{"#bd4b00", "#f29a5c"},
                                                       Colour{"#00785a", "#4fcfa4"}, Colour{"#8f3f82", "#e0a3d6"},
                                                       Colour{"#7a6000", "#e3cb5a"}, Colour{"#4d4d4d", "#c4c4c4"}};

struct Axes {
  Axis x, y;
};

// Differences of such numbers are finite, whatever a stranger's records hold.
bool can_be_drawn(double value) {
  return std::abs(value) < 1e200;
}

bool can_be_drawn(const ChartPoint& point) {
  return can_be_drawn(point.x) && can_be_drawn(point.y) &&
         (!point.interval || (can_be_drawn(point.interval->first) && can_be_drawn(point.interval->second)));
}

// CSS classes of what belongs to a series.
std::string classes_of(size_t number) {
  return fmt::format("s{}{}", number % kColours.size(), number >= kColours.size() ? " dashed" : "");
}

std::string percent(double share) {
  return fmt::format("{:.2f}%", 100 * share);
}

Axes axes_of(const Chart& chart) {
  double x_high = 0, low = INFINITY, high = -INFINITY;
  for (const ChartSeries& series : chart.series)
    for (const ChartPoint& point : series.points) {
      x_high = std::max(x_high, point.x);
      low = std::min({low, point.y, point.interval ? point.interval->first : point.y});
      high = std::max({high, point.y, point.interval ? point.interval->second : point.y});
    }
  return {linear_axis(0, x_high, kTicksX, x_high > 0),
          low > 0 && high > kLogFrom * low ? log_axis(low, high) : linear_axis(low, high, kTicksY)};
}

std::string grid_of(const Axes& axes) {
  std::string svg;
  for (const double tick : axes.y.ticks) {
    const std::string y = percent(1 - axes.y.place(tick));
    svg += fmt::format(
        "<line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{0}\" y2=\"{0}\"/>"
        "<text x=\"0\" dx=\"-8\" y=\"{0}\" dy=\"4\" text-anchor=\"end\">{1}</text>\n",
        y, tick_text(tick));
  }
  for (const double tick : axes.x.ticks)
    svg += fmt::format("<text x=\"{}\" y=\"100%\" dy=\"18\" text-anchor=\"middle\">{}</text>\n",
                       percent(axes.x.place(tick)), tick_text(tick));
  return svg;
}

std::string line_of(const ChartSeries& series, const Axes& axes) {
  std::vector<std::pair<double, double>> places;
  for (const ChartPoint& point : series.points) places.emplace_back(axes.x.place(point.x), axes.y.place(point.y));
  const char* thin = series.style == ChartSeries::Style::kFaint ? " faint" : "";
  return fmt::format("<path class=\"{}{}\" d=\"{}\"/>\n", classes_of(series.number), thin, svg_path(places, kSide));
}

std::string dots_of(const Chart& chart, const ChartSeries& series, const Axes& axes) {
  std::string svg;
  for (const ChartPoint& point : series.points) {
    const std::string x = percent(axes.x.place(point.x)), colour = classes_of(series.number);
    std::string text = fmt::format("{}: {:.6g}", series.name, point.y);
    if (point.interval) {
      text += fmt::format(" ({:.6g} to {:.6g})", point.interval->first, point.interval->second);
      svg += fmt::format("<line class=\"{}\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>", colour, x, x,
                         percent(1 - axes.y.place(point.interval->first)),
                         percent(1 - axes.y.place(point.interval->second)));
    }
    text += fmt::format(" at {} {:.6g}", chart.x_label, point.x);
    svg += fmt::format("<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"3.5\"><title>{}</title></circle>\n", colour, x,
                       percent(1 - axes.y.place(point.y)), escape_html(text));
  }
  return svg;
}

// What a reader of the screen says of it.
std::string told(const Chart& chart) {
  std::string text = fmt::format("{} over {}.", chart.title, chart.x_label);
  for (const ChartSeries& series : chart.series)
    if (series.style != ChartSeries::Style::kFaint)
      text += fmt::format(" {}: {:.4g} at {:.6g}, {:.4g} at {:.6g}.", series.name, series.points.front().y,
                          series.points.front().x, series.points.back().y, series.points.back().x);
  return text;
}

}  // namespace

std::string svg_path(const std::vector<std::pair<double, double>>& points, double side) {
  std::string path;
  for (const auto& [x, y] : points)
    path += fmt::format("{}{:.6g} {:.6g}", path.empty() ? 'M' : 'L', std::round(10 * side * x) / 10,
                        std::round(10 * side * (1 - y)) / 10);
  return path;
}

std::string to_html(const Chart& given) {
  Chart chart = given;
  for (ChartSeries& series : chart.series)
    std::erase_if(series.points, [](const ChartPoint& point) { return !can_be_drawn(point); });
  std::erase_if(chart.series, [](const ChartSeries& series) { return series.points.empty(); });
  if (chart.series.empty()) return "";
  const Axes axes = axes_of(chart);
  std::string paths, dots;
  for (const ChartSeries& series : chart.series) {
    paths += line_of(series, axes);
    if (series.style == ChartSeries::Style::kMarked) dots += dots_of(chart, series, axes);
  }
  std::string remark = chart.remark;
  if (axes.y.is_log) remark += remark.empty() ? "logarithmic" : ", logarithmic";
  return fmt::format(
      "<figure class=\"chart{}\"><figcaption>{} <small>{}</small></figcaption>\n"
      "<svg role=\"img\" aria-label=\"{}\">\n{}"
      "<svg viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\" width=\"100%\" height=\"100%\">\n{}</svg>\n{}"
      "<text x=\"100%\" y=\"100%\" dy=\"36\" text-anchor=\"end\">{}</text>\n</svg></figure>\n",
      chart.is_large ? " large" : "", escape_html(chart.title), escape_html(remark), escape_html(told(chart)),
      grid_of(axes), kSide, kSide, paths, dots, escape_html(chart.x_label));
}

std::string chart_legend(const std::vector<std::string>& names) {
  std::string html = "<ul class=\"legend\">";
  for (size_t i = 0; i < names.size(); ++i)
    html += fmt::format("<li class=\"{}\">{}</li>", classes_of(i), escape_html(names[i]));
  return html + "</ul>\n";
}

std::string chart_style() {
  std::string css = R"css(
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1.5rem 2rem; }
.chart { margin: 0; min-width: 0; }
.chart.large { grid-column: 1 / -1; }
.chart figcaption { font-weight: 600; margin-bottom: .75rem; }
.chart small { font-weight: 400; color: var(--quiet); font-size: .8125rem; }
.chart > svg { display: block; overflow: visible; margin: 0 .75rem 2.75rem 3.25rem; width: calc(100% - 4rem); height: 10rem; }
.chart.large > svg { height: 18rem; }
.chart text { font-size: 12px; fill: var(--quiet); font-variant-numeric: tabular-nums; }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart path { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.chart path.faint { stroke-width: 1; opacity: .4; }
.chart path.dashed { stroke-dasharray: 6 4; }
.chart line:not(.grid) { stroke: var(--colour); stroke-width: 1.5; }
.chart circle { fill: var(--colour); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; margin: 0 0 1rem; padding: .5rem 0; }
.legend li::before { content: ""; display: inline-block; width: 1.25rem; height: 0; border-top: 3px solid var(--colour); margin-right: .5rem; vertical-align: middle; }
.legend .dashed::before { border-top-style: dashed; }
)css";
  std::string light, dark;
  for (size_t i = 0; i < kColours.size(); ++i) {
    light += fmt::format(".s{} {{ --colour: {}; }} ", i, kColours[i].light);
    dark += fmt::format(".s{} {{ --colour: {}; }} ", i, kColours[i].dark);
  }
  return css + light + "\n@media screen and (prefers-color-scheme: dark) { " + dark + "}\n";
}

}  // namespace uvic
