#include "app/report/curves.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <set>

namespace uvic {
namespace {

struct Curve {
  std::string name;                   // in the rows
  std::optional<TimeUnit> over = {};  // none: over steps
};

std::string title_of(const std::string& name) {
  if (name == "loss") return "Training loss";
  if (name == "lr") return "Learning rate";
  if (name == "grad_norm") return "Gradient norm";
  std::string title = name;
  if (is_score(name)) return title;
  std::replace(title.begin(), title.end(), '_', ' ');
  title.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(title.front())));
  return title;
}

std::vector<ChartPoint> points_of(const RunRecord& run, const Curve& curve) {
  const std::vector<double> seconds = curve.over ? seconds_trained(run) : std::vector<double>();
  const auto x_of = [&](size_t i) {
    return curve.over ? seconds[i] / curve.over->seconds : static_cast<double>(run.rows[i].step);
  };
  std::vector<ChartPoint> points;
  for (size_t i = 0; i < run.rows.size(); ++i) {
    const auto value = run.rows[i].values.find(curve.name);
    if (value == run.rows[i].values.end()) continue;
    points.push_back({.x = x_of(i), .y = value->second});
    for (const ScoreRow& score : is_score(curve.name) ? scores_in({run.rows[i]}) : std::vector<ScoreRow>())
      if (score.label == curve.name) points.back().interval = score.interval;
  }
  return points;
}

void add_series(Chart& chart, const Curve& curve, const NamedRun& run, size_t number) {
  using Style = ChartSeries::Style;
  const std::vector<ChartPoint> points = points_of(run.record, curve);
  if (points.empty()) return;
  const size_t most = chart.is_large ? kMostPoints : kFewerPoints;
  ChartSeries series{.name = run.name, .number = number, .points = points};
  if (is_score(curve.name)) {
    series.style = Style::kMarked;
  } else if (curve.name == "loss") {
    chart.series.push_back(
        {.name = run.name, .number = number, .points = thinned(points, most), .style = Style::kFaint});
    series.points = thinned(smoothed(points), most);
  } else {
    series.points = thinned(points, most);
  }
  chart.series.push_back(series);
}

}  // namespace

TimeUnit time_unit(double seconds) {
  constexpr double kMinute = 60, kHour = 3600;
  if (seconds >= 2 * kHour) return {"hours", kHour};
  return seconds >= 2 * kMinute ? TimeUnit{"minutes", kMinute} : TimeUnit{"seconds", 1};
}

std::vector<ChartPoint> smoothed(const std::vector<ChartPoint>& points) {
  struct Sum {
    double values = 0, weights = 0;
  };
  const double fade = std::exp(-1 / std::max(1.0, static_cast<double>(points.size()) / 100));
  // Of the points before each one, or behind it.
  const auto faded_sums = [&](auto begin, auto end) {
    std::vector<Sum> sums;
    Sum sum;
    for (auto point = begin; point != end; ++point) {
      sums.push_back(sum);
      sum = {fade * (sum.values + point->y), fade * (sum.weights + 1)};
    }
    return sums;
  };
  const std::vector<Sum> before = faded_sums(points.begin(), points.end()),
                         behind = faded_sums(points.rbegin(), points.rend());
  std::vector<ChartPoint> smooth = points;
  for (size_t i = 0; i < points.size(); ++i) {
    const Sum &a = before[i], &b = behind[points.size() - 1 - i];
    smooth[i].y = (a.values + points[i].y + b.values) / (a.weights + 1 + b.weights);
  }
  return smooth;
}

std::vector<ChartPoint> thinned(const std::vector<ChartPoint>& points, size_t most) {
  const size_t together = (points.size() + most - 1) / most;
  if (together <= 1) return points;
  std::vector<ChartPoint> means;
  for (size_t begin = 0; begin < points.size(); begin += together) {
    const size_t count = std::min(together, points.size() - begin);
    ChartPoint mean;
    for (size_t i = begin; i < begin + count; ++i) {
      mean.x += points[i].x / static_cast<double>(count);
      mean.y += points[i].y / static_cast<double>(count);
    }
    means.push_back(mean);
  }
  return means;
}

std::vector<Chart> charts_of(const std::vector<NamedRun>& runs) {
  std::set<std::string> scores, others;
  double longest = 0;
  for (const NamedRun& run : runs) {
    for (const double seconds : seconds_trained(run.record)) longest = std::max(longest, seconds);
    for (const RunRow& row : run.record.rows)
      for (const auto& [name, value] : row.values) {
        if (is_score(name)) scores.insert(name);
        if (is_speed(name)) others.insert(name);
      }
  }
  const TimeUnit unit = time_unit(longest);
  std::vector<Curve> curves{{"loss"}};
  for (const std::string& name : scores) curves.push_back({name});
  curves.push_back({"loss", unit});
  for (const std::string& name : scores) curves.push_back({name, unit});
  curves.push_back({"lr"});
  curves.push_back({"grad_norm"});
  for (const std::string& name : others) curves.push_back({name});

  std::vector<Chart> charts;
  for (const Curve& curve : curves) {
    Chart chart{.title = title_of(curve.name),
                .remark = curve.over             ? "over time"
                          : is_score(curve.name) ? "lower is better"
                                                 : "",
                .x_label = curve.over ? curve.over->name + " of training" : "step",
                .series = {},
                .is_large = !curve.over && (curve.name == "loss" || is_score(curve.name))};
    for (size_t i = 0; i < runs.size(); ++i) add_series(chart, curve, runs[i], i);
    if (!chart.series.empty()) charts.push_back(chart);
  }
  return charts;
}

}  // namespace uvic
