#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "app/report/axis.h"
#include "app/report/config_difference.h"
#include "app/report/curves.h"
#include "app/report/html.h"
#include "app/report/sample_slider.h"
#include "app/report/svg_chart.h"
#include "core/image/image.h"
#include "tests/temporary.h"

namespace uvic::report_test {
namespace {

using Ticks = std::vector<double>;

void expect_near(const Ticks& ticks, const Ticks& expected) {
  ASSERT_EQ(ticks.size(), expected.size());
  for (size_t i = 0; i < ticks.size(); ++i) EXPECT_NEAR(ticks[i], expected[i], 1e-9 * std::abs(expected[i])) << i;
}

size_t count(const std::string& text, const std::string& part) {
  size_t times = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}

TEST(Axis, TicksAreRoundAndEncloseTheNumbers) {
  expect_near(linear_axis(0, 100, 5).ticks, {0, 20, 40, 60, 80, 100});
  expect_near(linear_axis(0.31, 0.42, 4).ticks, {0.3, 0.35, 0.4, 0.45});
  expect_near(linear_axis(-3, 3, 4).ticks, {-4, -2, 0, 2, 4});
  const Axis cut = linear_axis(0, 730, 5, true);
  expect_near(cut.ticks, {0, 200, 400, 600});
  EXPECT_DOUBLE_EQ(cut.high, 730);
}

TEST(Axis, OneNumberHasRoomAroundIt) {
  for (const double value : {0.0, 5.0, -2.0, 1e-9, 1e30}) {
    const Axis axis = linear_axis(value, value, 4);
    EXPECT_LT(axis.low, axis.high) << value;
    EXPECT_LE(axis.low, value);
    EXPECT_GE(axis.high, value);
    EXPECT_GE(axis.ticks.size(), 2) << value;
  }
}

TEST(Axis, LogarithmicTicks) {
  expect_near(log_axis(0.3, 40).ticks, {0.2, 0.5, 1, 2, 5, 10, 20, 50});
  expect_near(log_axis(1, 100).ticks, {1, 2, 5, 10, 20, 50, 100});
  expect_near(log_axis(1e-5, 1).ticks, {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1});
  const Axis wide = log_axis(1e-3, 1e30);
  EXPECT_LE(wide.ticks.size(), 9);
  EXPECT_LE(wide.low, 1e-3);
  EXPECT_GE(wide.high, 1e30);
  EXPECT_NEAR(log_axis(1, 100).place(10), 0.5, 1e-12);
}

TEST(Axis, NumbersAreShort) {
  EXPECT_EQ(tick_text(0), "0");
  EXPECT_EQ(tick_text(0.02), "0.02");
  EXPECT_EQ(tick_text(5e-5), "5e-5");
  EXPECT_EQ(tick_text(1e-12), "1e-12");
  EXPECT_EQ(tick_text(1200), "1200");
  EXPECT_EQ(tick_text(15000), "15k");
  EXPECT_EQ(tick_text(2.5e6), "2.5M");
  EXPECT_EQ(tick_text(-2e9), "-2G");
  EXPECT_EQ(tick_text(1e15), "1e15");
}

TEST(SvgChart, PathsGoThroughThePoints) {
  EXPECT_EQ(svg_path({{0, 0.5}, {0.25, 1}, {1, 0.75}}, 1000), "M0 500L250 0L1000 250");
  EXPECT_EQ(svg_path({{1.0 / 3, 0}}, 1000), "M333.3 1000");
  EXPECT_EQ(svg_path({}, 1000), "");

  // Axes from 0 to 100 and from 0 to 4.
  const std::string html =
      to_html({.title = "T", .x_label = "step", .series = {{.name = "r", .points = {{50, 4}, {100, 0}, {75, 1}}}}});
  EXPECT_NE(html.find("d=\"M500 0L1000 1000L750 750\""), std::string::npos) << html;
  EXPECT_NE(html.find("aria-label=\"T over step. r: 4 at 50, 1 at 75.\""), std::string::npos) << html;
  EXPECT_EQ(html.find("logarithmic"), std::string::npos);
}

TEST(SvgChart, FarApartPositiveNumbersAreLogarithmic) {
  const std::string html =
      to_html({.title = "T", .x_label = "step", .series = {{.name = "r", .points = {{0, 1}, {5, 10}, {10, 100}}}}});
  EXPECT_NE(html.find("logarithmic"), std::string::npos);
  EXPECT_NE(html.find("d=\"M0 1000L500 500L1000 0\""), std::string::npos) << html;
}

TEST(SvgChart, PointsWithIntervalsHaveADotABarAndTheirNumbers) {
  const std::string html = to_html(
      {.title = "FID",
       .x_label = "step",
       .series = {
           {.name = "r", .points = {{50, 2, std::pair(1.0, 4.0)}, {100, 0}}, .style = ChartSeries::Style::kMarked}}});
  EXPECT_EQ(count(html, "<circle"), 2);
  EXPECT_NE(html.find("x1=\"50.00%\" x2=\"50.00%\" y1=\"75.00%\" y2=\"0.00%\""), std::string::npos) << html;
  EXPECT_NE(html.find("<title>r: 2 (1 to 4) at step 50</title>"), std::string::npos) << html;
}

TEST(SvgChart, NothingIsDrawnOfNothingAndOfWhatIsNotFinite) {
  EXPECT_EQ(to_html(Chart{.title = "T", .x_label = "", .series = {}}), "");
  const std::string html = to_html(
      {.title = "T",
       .x_label = "step",
       .series = {{.name = "r", .points = {{1, NAN}, {2, INFINITY}}}, {.name = "q", .points = {{1, 1}, {2, NAN}}}}});
  EXPECT_EQ(count(html, "<path"), 1);
  EXPECT_EQ(html.find("nan"), std::string::npos) << html;
}

TEST(SvgChart, NumbersOfAnySizeHaveTheirPlace) {
  const std::vector<double> sizes{0, 1e-320, 1e-199, 1e-12, 1, 1e15, 9e18, 9e199, 1e308};
  for (const double a : sizes)
    for (const double b : sizes)
      for (const double sign : {1.0, -1.0}) {
        const std::string html = to_html(
            {.title = "T", .x_label = "", .series = {{.name = "r", .points = {{1, sign * a}, {2, b}, {b, 1}}}}});
        EXPECT_LT(html.size(), 4000) << a << " " << b;
        for (const char* bad : {"nan", "inf"}) EXPECT_EQ(html.find(bad), std::string::npos) << a << " " << b << html;
      }
}

TEST(SvgChart, SeriesBeyondTheColoursAreDashed) {
  const std::string legend = chart_legend(std::vector<std::string>(kMostSeries, "run"));
  EXPECT_EQ(count(legend, "dashed"), kMostSeries / 2);
  EXPECT_EQ(count(legend, "\"s0\""), 1);
  EXPECT_EQ(count(legend, "\"s0 dashed\""), 1);
}

TEST(Html, NothingOfATextIsMarkup) {
  EXPECT_EQ(escape_html("<script>alert('&\"')</script>"), "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;");
  EXPECT_EQ(escape_html("a\nb\n"), "a\nb\n");
  EXPECT_EQ(escape_html(std::string("\0\x1b\xff", 3)), "\\x00\\x1b\\xff");

  const std::string table = to_html(HtmlTable{.caption = "<b>", .head = {"<i>"}, .rows = {{"<u>", "<s>"}}});
  EXPECT_FALSE(std::regex_search(table, std::regex("<[bius]>"))) << table;
  const std::string chart =
      to_html({.title = "<b>", .remark = "<i>", .x_label = "<u>", .series = {{.name = "<s>", .points = {{1, 2}}}}});
  EXPECT_FALSE(std::regex_search(chart, std::regex("<[bius]>"))) << chart;
  EXPECT_EQ(chart_legend({"<s>"}).find("<s>"), std::string::npos);
}

TEST(Curves, SmoothingKeepsWhatIsConstantOrStraightInTheMiddle) {
  std::vector<ChartPoint> flat(9, ChartPoint{.x = 0, .y = 3}), line;
  for (const ChartPoint& point : smoothed(flat)) EXPECT_NEAR(point.y, 3, 1e-12);
  for (int i = 0; i <= 100; ++i) line.push_back({.x = 1.0 * i, .y = 2.0 * i});
  EXPECT_NEAR(smoothed(line)[50].y, 100, 1e-9);
  // Of two points: each, and 1/e of the other.
  const auto two = smoothed({{0, 0}, {1, 1}});
  EXPECT_NEAR(two[0].y, std::exp(-1) / (1 + std::exp(-1)), 1e-12);
  EXPECT_NEAR(two[1].y, 1 / (1 + std::exp(-1)), 1e-12);
}

TEST(Curves, ThinningTakesMeansOfNeighbours) {
  const std::vector<ChartPoint> points{{1, 1}, {2, 3}, {3, 5}, {4, 7}, {5, 9}};
  const auto thin = thinned(points, 3);
  ASSERT_EQ(thin.size(), 3);
  EXPECT_EQ(thin[0].x, 1.5);
  EXPECT_EQ(thin[1].y, 6);
  EXPECT_EQ(thin[2].x, 5);
  EXPECT_EQ(thinned(points, 5).size(), 5);
}

TEST(Curves, EachNumberOfTheRowsHasItsChart) {
  RunRecord run;
  for (int64_t step : {10, 20})
    run.rows.push_back(
        {.step = step, .values = {{"loss", 1}, {"lr", 0.1}, {"FID", 5}, {"FID_low", 4}, {"FID_high", 7}}});
  const std::vector<Chart> charts = charts_of({{"a", run}});
  std::vector<std::string> titles;
  for (const Chart& chart : charts) titles.push_back(chart.title + (chart.x_label == "step" ? "" : ", time"));
  EXPECT_EQ(titles,
            (std::vector<std::string>{"Training loss", "FID", "Training loss, time", "FID, time", "Learning rate"}));
  ASSERT_EQ(charts[0].series.size(), 2);  // thin and thick
  EXPECT_EQ(charts[1].series[0].points[0].interval, std::pair(4.0, 7.0));
}

TEST(SampleSlider, StepsAreEvenlySpacedWithBothEnds) {
  using Chosen = std::vector<size_t>;
  EXPECT_EQ(evenly_spaced(0, 12), Chosen{});
  EXPECT_EQ(evenly_spaced(3, 12), (Chosen{0, 1, 2}));
  EXPECT_EQ(evenly_spaced(7, 4), (Chosen{0, 2, 4, 6}));
  EXPECT_EQ(evenly_spaced(100, 3), (Chosen{0, 50, 99}));
}

TEST(SampleSlider, DamagedPicturesAreLeftOutAndTextIsEscaped) {
  const TemporaryFolder folder;
  const fs::path damaged = folder.put("1.png", "no picture"), text = folder.put("2.txt", "<b>");
  EXPECT_EQ(sample_slider("a", {{1, damaged}}, 0), "");
  const std::string html = sample_slider("<run>", {{1, damaged}, {2, text}}, 0);
  EXPECT_EQ(count(html, "<input"), 1);
  EXPECT_NE(html.find("&lt;b&gt;"), std::string::npos);
  EXPECT_EQ(html.find("<run>"), std::string::npos);
}

TEST(SampleSlider, WidePicturesAreMadeSmaller) {
  const TemporaryFolder folder;
  write_png(folder / "1.png", at::zeros({100, 2000, 3}, at::kByte));
  write_png(folder / "2.png", at::zeros({30, 20, 3}, at::kByte));
  const std::string html = sample_slider("a", {{1, folder / "1.png"}, {2, folder / "2.png"}}, 0);
  EXPECT_NE(html.find("width=\"800\" height=\"40\""), std::string::npos);
  EXPECT_NE(html.find("width=\"20\" height=\"30\""), std::string::npos);
}

TEST(ConfigDifference, OnlyWhatDiffers) {
  const auto found = differences({parse_toml("[a]\nx = 1\ny = 2\n", "a"), parse_toml("[a]\nx = 1\ny = 3\n", "b"),
                                  parse_toml("[a]\nx = 1\ny = 2\n[b]\nz = true\n", "c")});
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found[0].key, "a.y");
  EXPECT_EQ(found[0].values, (std::vector<std::string>{"2", "3", "2"}));
  EXPECT_EQ(found[1].key, "b.z");
  EXPECT_EQ(found[1].values, (std::vector<std::string>{"not there", "not there", "true"}));
}

}  // namespace
}  // namespace uvic::report_test
