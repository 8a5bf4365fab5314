// uvic report RUN... --out FILE
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "app/cli/results.h"
#include "app/report/report.h"
#include "core/error.h"
#include "core/files.h"
#include "core/writable.h"

namespace uvic {
namespace {

std::vector<NamedRun> read_runs(const std::vector<std::string>& folders) {
  std::vector<NamedRun> runs;
  for (const std::string& folder : folders) {
    RunRecord record = read_run(folder);
    for (const NamedRun& other : runs)
      if (fs::equivalent(record.folder, other.record.folder)) fail("the run {} is given twice", folder);
    runs.push_back({record.name(), std::move(record)});
  }
  // Runs of one name, in several folders, go by their paths.
  std::vector<std::string> names;
  for (const NamedRun& run : runs) names.push_back(run.name);
  for (NamedRun& run : runs)
    if (std::count(names.begin(), names.end(), run.name) > 1) run.name = run.record.folder.string();
  return runs;
}

struct ReportCommand {
  std::vector<std::string> runs;
  std::string out = "report.html";
  bool force = false;

  void run() const {
    const auto refuse_existing = [this] { fail("{} exists: give another --out, or --force to overwrite it", out); };
    if (runs.size() > kMostSeries)
      fail("{} runs cannot be told apart in a chart: give at most {}", runs.size(), kMostSeries);
    if (fs::is_directory(out)) fail("--out {} is a folder: give the name of a file", out);
    if (!force && fs::exists(out)) refuse_existing();
    expect_writable(fs::path(out).parent_path());
    const std::string html = write_report(read_runs(runs));
    if (force) {
      write_atomically(out, html);
    } else {
      bool is_tried = false;
      write_new(
          [&] {
            if (std::exchange(is_tried, true)) refuse_existing();
            return fs::path(out);
          },
          html);
    }
    print_file(out);
  }
};

}  // namespace

void add_report_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand(
      "report", "training runs as one HTML file: curves, samples, scores, checkpoints, configs and how they differ");
  auto command = std::make_shared<ReportCommand>();
  sub->add_option("RUN", command->runs, "run folders, to be compared if they are several")->required();
  sub->add_option("--out", command->out, "the file")->capture_default_str();
  sub->add_flag("--force", command->force, "replace an existing file");
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
