#include "app/report/report.h"

#include <ctime>

#include "app/report/config_difference.h"
#include "app/report/html.h"
#include "app/report/overview.h"
#include "app/report/page.h"
#include "app/report/sample_slider.h"

namespace uvic {
namespace {

constexpr size_t kFoldedFrom = 12;  // rows of a table

std::string section(const std::string& title, const std::string& html) {
  return html.empty() ? "" : fmt::format("<section>\n<h2>{}</h2>\n{}</section>\n", title, html);
}

std::string folded(const std::string& summary, const std::string& html) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", escape_html(summary), html);
}

std::string tables(const std::vector<NamedRun>& runs, HtmlTable (*table_of)(const NamedRun& run)) {
  std::string html;
  for (const NamedRun& run : runs) {
    const HtmlTable table = table_of(run);
    if (table.rows.size() > kFoldedFrom)
      html += folded(fmt::format("{}: {} rows", run.name, table.rows.size()), to_html(table));
    else if (!table.rows.empty())
      html += to_html(table);
  }
  return html;
}

std::vector<std::string> names_of(const std::vector<NamedRun>& runs) {
  std::vector<std::string> names;
  for (const NamedRun& run : runs) names.push_back(run.name);
  return names;
}

std::string header(const std::vector<NamedRun>& runs, const std::string& title) {
  std::string html = fmt::format("<header>\n<h1>{}</h1>\n", escape_html(title));
  if (runs.size() == 1) html += fmt::format("<p>{}</p>\n", escape_html(state_text(runs.front().record)));
  return html + fmt::format("<p class=\"quiet\">Written {} by uvic {}</p>\n</header>\n",
                            time_text(static_cast<double>(std::time(nullptr))), UVIC_VERSION);
}

std::string summary(const std::vector<NamedRun>& runs) {
  const auto [in_short, rest] = overview(runs);
  return to_html(in_short) + (rest.rows.empty() ? "" : folded(rest.caption, to_html(rest)));
}

std::string curves(const std::vector<NamedRun>& runs) {
  std::string html;
  for (const Chart& chart : charts_of(runs)) html += to_html(chart);
  if (html.empty()) return "<p>No step has been recorded yet.</p>\n";
  return (runs.size() > 1 ? chart_legend(names_of(runs)) : "") + "<div class=\"charts\">\n" + html + "</div>\n";
}

std::string samples(const std::vector<NamedRun>& runs) {
  std::string html;
  for (size_t i = 0; i < runs.size(); ++i) html += sample_slider(runs[i].name, runs[i].record.samples, i);
  return html.empty() ? "" : "<div class=\"sliders\">\n" + html + "</div>\n";
}

std::string machines(const std::vector<NamedRun>& runs) {
  std::string html = tables(runs, machine_table);
  for (const NamedRun& run : runs) {
    std::string commands;
    for (const std::string& command : run.record.commands) commands += escape_html(command) + "\n";
    if (!commands.empty()) html += fmt::format("<h3>{}</h3>\n<pre>{}</pre>\n", escape_html(run.name), commands);
  }
  return html;
}

std::string configs(const std::vector<NamedRun>& runs) {
  std::string html;
  if (runs.size() > 1) {
    std::vector<std::vector<TomlItem>> settings;
    for (const NamedRun& run : runs) settings.push_back(run.record.settings);
    HtmlTable table{.caption = "What differs", .head = names_of(runs), .rows = {}};
    table.head.insert(table.head.begin(), "Key");
    for (const ConfigDifference& difference : differences(settings)) {
      std::vector<std::string>& row = table.rows.emplace_back(1, difference.key);
      row.insert(row.end(), difference.values.begin(), difference.values.end());
    }
    html = table.rows.empty() ? "<p>The configs are equal.</p>\n" : to_html(table);
  }
  for (const NamedRun& run : runs)
    html += folded("config.toml of " + run.name, "<pre>" + escape_html(run.record.config) + "</pre>\n");
  return html;
}

std::string notes() {
  return fmt::format(
      "<ul class=\"quiet\">\n"
      "<li>Loss: thin as recorded, thick averaged with its neighbours. A curve of more than {} records, {} in a small "
      "chart, shows means of some that follow each other.</li>\n"
      "<li>Time of training: steps over the recorded speed. Pauses, and steps that were lost and trained again, do not "
      "count.</li>\n"
      "<li>Scores are of averaged weights, lower is better; the interval holds for other images of the same number, "
      "and "
      "says nothing of the bias of few.</li>\n"
      "<li>Energy is not recorded.</li>\n</ul>\n",
      kMostPoints, kFewerPoints);
}

}  // namespace

std::string write_report(const std::vector<NamedRun>& runs) {
  const std::string title = runs.size() == 1 ? runs.front().name : fmt::format("{} training runs", runs.size());
  const std::string body =
      header(runs, title) + section("What was trained", summary(runs)) + section("Curves", curves(runs)) +
      section("Samples", samples(runs)) + section("Scores", tables(runs, score_table)) +
      section("Checkpoints", tables(runs, checkpoint_table)) + section("Machines and commands", machines(runs)) +
      section("Config", configs(runs)) + section("How to read this", notes());
  return html_page(title, page_style() + chart_style() + slider_style(), body);
}

}  // namespace uvic
