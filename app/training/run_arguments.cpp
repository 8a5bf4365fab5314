#include "app/training/run_arguments.h"

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/training/resume.h"
#include "core/progress.h"

namespace uvic {

void RunArguments::add_options(CLI::App& app) {
  app.add_option("--out", parent, "folder of the run folders")->capture_default_str();
  app.add_option("--resume", resume, "go on with a run: its folder, or 'latest' for the newest under --out");
  app.add_option("--device", device, "cpu, cuda or cuda:N; default: where the run to resume was, else cpu")
      ->check(device_name());
  app.add_flag("--dry-run", dry_run, "print the config, memory, time and disk it would take; write nothing");
}

std::optional<RunFolder> RunArguments::to_resume() const {
  if (resume.empty()) return std::nullopt;
  return resume == "latest" ? RunFolder::open_latest(parent) : RunFolder::open(resume);
}

at::Device RunArguments::where(const std::optional<RunFolder>& to_resume) const {
  return to_resume && device.empty() ? device_of_run(*to_resume) : parse_device(device.empty() ? "cpu" : device);
}

std::optional<Checkpoint> RunArguments::checkpoint(const std::optional<RunFolder>& to_resume) const {
  if (!to_resume) return std::nullopt;
  if (!dry_run) to_resume->lock();
  if (!to_resume->has_checkpoint()) return std::nullopt;
  return to_resume->load_latest();
}

Start RunArguments::start(const std::optional<RunFolder>& to_resume, const std::string& name,
                          std::optional<Checkpoint> checkpoint, const std::string& command_line) const {
  const RunFolder folder = to_resume ? *to_resume : RunFolder::create(parent, name);
  if (!to_resume) folder.lock();
  log_line(fmt::format("run folder {}", folder.path().string()));
  return {folder, to_resume.has_value(), std::move(checkpoint), command_line};
}

void print_resolved(const std::string& config) {
  try {
    print_result({{"config", config}}, config);
  } catch (const std::system_error&) {
  }
}

std::string command_line(const CLI::App& app) {
  std::string line;
  for (const CLI::App* level = &app; level; level = level->get_parent())
    line = level->get_name() + (line.empty() ? "" : " ") + line;
  for (const CLI::Option* option : app.get_options())
    if (option->count() > 0)
      for (const std::string& value : option->results())
        line += fmt::format(" {} {}", option->get_name(),
                            value.find_first_of(" ?&*'\"") == std::string::npos ? value : "'" + value + "'");
  return line;
}

}  // namespace uvic
