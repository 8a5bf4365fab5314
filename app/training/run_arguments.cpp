#include "app/training/run_arguments.h"

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/training/resume.h"
#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"

namespace uvic {

void RunArguments::add_options(CLI::App& app) {
  app.add_option("--out", parent, "folder of the run folders")->capture_default_str();
  app.add_option(
      "--resume", resume,
      "go on with a run: its folder, 'latest' for the newest under --out, or 'auto' for the newest of --name, "
      "which is begun if there is none");
  app.add_option("--device", device, "cpu, cuda or cuda:N; default: where the run to resume was, else cpu")
      ->check(device_name());
  ranks.add_options(app);
  app.add_option("--serve", serve, "port at which a browser of this machine sees the run while it trains")
      ->check(CLI::Range(1, 65535));
  app.add_flag("--dry-run", dry_run, "print the config, memory, time and disk it would take; write nothing");
}

std::optional<RunFolder> RunArguments::begin(ConfigSource& source, ConfigOptions& options,
                                             const std::string& name) const {
  if (ranks.restarts > 0 && resume.empty())
    fail("--restarts starts the ranks anew, which then must find their run: give --resume auto and --name NAME");
  ranks.launch();
  source.apply(options);
  if (resume.empty()) return std::nullopt;
  if (resume == "auto") {
    if (name.empty()) fail("--resume auto goes on with the run of a name: give --name NAME");
    return RunFolder::find(parent, name);
  }
  return resume == "latest" ? RunFolder::open_latest(parent) : RunFolder::open(resume);
}

at::Device RunArguments::where(const std::optional<RunFolder>& to_resume, const World& world) const {
  if (to_resume && device.empty()) return device_of_run(*to_resume);
  if (device == "cuda" && world.size() > 1) return parse_device(fmt::format("cuda:{}", world.local_rank()));
  return parse_device(device.empty() ? "cpu" : device);
}

std::optional<Checkpoint> RunArguments::checkpoint(const std::optional<RunFolder>& to_resume,
                                                   const World& world) const {
  if (!to_resume) return std::nullopt;
  if (!dry_run && world.rank() == 0) to_resume->lock();
  if (!to_resume->has_checkpoint()) return std::nullopt;
  Checkpoint checkpoint = to_resume->load_latest();
  if (checkpoint.format < kCheckpointFormat)
    fail(
        "{} was trained by an older uvic, which drew other noise: this one cannot go on with it. A new run can begin "
        "with "
        "its weights: --init {}",
        to_resume->path().string(), to_resume->path().string());
  return checkpoint;
}

Start RunArguments::start(const std::optional<RunFolder>& to_resume, const std::string& name,
                          std::optional<Checkpoint> checkpoint, const std::string& command_line,
                          const World& world) const {
  Start start{.world = world,
              .folder = {},
              .resumed = to_resume.has_value(),
              .checkpoint = std::move(checkpoint),
              .command = command_line,
              .serve = serve};
  if (world.rank() > 0) return start;
  start.folder = to_resume ? *to_resume : RunFolder::create(parent, name);
  if (!to_resume) start.folder->lock();
  log_line(fmt::format("run folder {}", start.folder->path().string()));
  return start;
}

World meet(const TrainConfig& config) {
  const Place place = find_place();
  if (config.batch < place.size)
    fail("{}: train.batch {} cannot be shared out over {} ranks: give a larger batch or fewer ranks", place.name(),
         config.batch, place.size);
  return join(place, std::chrono::seconds(config.world.timeout));
}

void expect_same_run(const World& world, const std::string& config, const std::string& data,
                     const std::function<Tensor()>& first_item) {
  if (world.size() == 1) return;
  const Tensor item = first_item().contiguous();
  const std::string_view bytes(static_cast<const char*>(item.const_data_ptr()), item.nbytes());
  world.expect_equal("config", config);
  world.expect_equal("data", fmt::format("{}\nfirst item {}", data, sha256_of_bytes(bytes).substr(0, 10)));
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
