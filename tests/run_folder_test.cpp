#include "core/run_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/image.h"
#include "core/progress.h"

namespace uvic {
namespace {

using nlohmann::json;

// The message of the Error that `work` throws.
template <class Work>
std::string error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class RunFolderTest : public testing::Test {
 protected:
  RunFolderTest() {
    char name[] = "/tmp/uvic-runs-XXXXXX";
    parent_ = mkdtemp(name);
  }
  ~RunFolderTest() override { fs::remove_all(parent_); }

  RunFolder new_run(const std::string& name = "test") const {
    auto run = RunFolder::create(parent_, name);
    run.write_text("config.toml", "seed = 1\n");
    return run;
  }

  // Messages written while `work` runs.
  template <class Work>
  static std::string shown_by(const Work& work) {
    char* text = nullptr;
    size_t size = 0;
    std::FILE* file = open_memstream(&text, &size);
    set_progress_sink({.file = file, .terminal = false, .colour = false, .columns = 80});
    work();
    set_progress_sink({});
    std::fclose(file);
    std::string shown(text, size);
    std::free(text);
    return shown;
  }

  fs::path parent_;
};

Checkpoint make_checkpoint(int64_t step, int64_t numbers = 8) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.model.tensors["w"] = at::full({numbers}, static_cast<double>(step));
  checkpoint.model.metadata["config"] = "seed = 1\n";
  checkpoint.model_ema.tensors["w"] = at::full({numbers}, step + 0.5);
  checkpoint.optimizer.tensors["w.exp_avg"] = at::full({numbers}, -static_cast<double>(step));
  return checkpoint;
}

void expect_is(const Checkpoint& checkpoint, int64_t step) {
  const Checkpoint expected = make_checkpoint(step, checkpoint.model.tensors.at("w").numel());
  EXPECT_EQ(checkpoint.step, step);
  EXPECT_TRUE(at::equal(checkpoint.model.tensors.at("w"), expected.model.tensors.at("w")));
  EXPECT_TRUE(at::equal(checkpoint.model_ema.tensors.at("w"), expected.model_ema.tensors.at("w")));
  EXPECT_TRUE(at::equal(checkpoint.optimizer.tensors.at("w.exp_avg"), expected.optimizer.tensors.at("w.exp_avg")));
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

std::set<std::string> checkpoints_in(const fs::path& folder) {
  std::set<std::string> found;
  for (const auto& name : names_in(folder))
    if (name.starts_with("checkpoint")) found.insert(name);
  return found;
}

std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::istringstream in(read_file(path, "file"));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void append(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

// ---- creating and opening

TEST_F(RunFolderTest, NumbersGoUpAndNamesAreMadeSafe) {
  EXPECT_EQ(new_run("cifar10-uvic").path().filename(), "00000-cifar10-uvic");
  EXPECT_EQ(new_run("a b/../c:\xc3\xa9").path().filename(), "00001-a-b-..-c---");
  fs::create_directory(parent_ / "00041-old");
  fs::create_directory(parent_ / "99notes");
  EXPECT_EQ(new_run("").path().filename(), "00042-run");
  EXPECT_EQ(RunFolder::create(parent_ / "deeper" / "runs", "x").path(), parent_ / "deeper" / "runs" / "00000-x");
}

TEST_F(RunFolderTest, NumbersAreUniqueAmongProcesses) {
  constexpr int kProcesses = 4, kRuns = 8;
  for (int p = 0; p < kProcesses; ++p) {
    if (fork() == 0) {
      for (int i = 0; i < kRuns; ++i) RunFolder::create(parent_, fmt::format("process{}", p));
      _exit(0);
    }
  }
  for (int p = 0; p < kProcesses; ++p) wait(nullptr);
  std::set<std::string> numbers;
  for (const auto& name : names_in(parent_)) {
    EXPECT_HAS(name, "-process");
    numbers.insert(name.substr(0, 5));
  }
  EXPECT_EQ(names_in(parent_).size(), size_t{kProcesses * kRuns});
  EXPECT_EQ(numbers.size(), size_t{kProcesses * kRuns});
}

TEST_F(RunFolderTest, CreateNamesAParentThatIsAFile) {
  append(parent_ / "file", "x");
  EXPECT_HAS(error_of([&] { RunFolder::create(parent_ / "file", "x"); }), (parent_ / "file").string());
}

TEST_F(RunFolderTest, OpenAndOpenLatest) {
  EXPECT_HAS(error_of([&] { RunFolder::open_latest(parent_); }), "no run in the folder " + parent_.string());
  EXPECT_HAS(error_of([&] { RunFolder::open_latest(parent_ / "missing"); }), "missing");
  const auto first = new_run(), second = new_run();
  RunFolder::create(parent_, "killed-before-its-config");
  EXPECT_EQ(RunFolder::open_latest(parent_).path(), second.path());
  EXPECT_EQ(RunFolder::open(first.path() / "").path(), first.path());
  EXPECT_TRUE(RunFolder::is_run(first.path()));
  EXPECT_FALSE(RunFolder::is_run(parent_));
  EXPECT_HAS(error_of([&] { RunFolder::open(parent_); }), "config.toml");
  EXPECT_HAS(error_of([&] { RunFolder::open(parent_ / "none"); }), (parent_ / "none").string());
}

// ---- lock

TEST_F(RunFolderTest, OnlyOneTrainsIntoARun) {
  const auto run = new_run();
  {
    const auto copy = [&] {
      auto first = RunFolder::open(run.path());
      first.lock();
      first.lock();  // holds it already
      return first;
    }();
    const std::string message = error_of([&] { run.lock(); });
    EXPECT_HAS(message, run.path().string());
    EXPECT_HAS(message, fmt::format("(pid {})", getpid()));
  }
  EXPECT_NO_THROW(run.lock());
}

TEST_F(RunFolderTest, AKilledProcessLeavesNoLock) {
  const auto run = new_run();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = RunFolder::open(run.path());
    held.lock();
    _exit(write(ready[1], "x", 1) == 1 ? pause() : 1);
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_HAS(error_of([&] { run.lock(); }), fmt::format("(pid {})", child));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(run.lock());
}

TEST_F(RunFolderTest, LockClearsLeftovers) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  fs::create_directories(run.path() / "checkpoint-7.tmp.123");
  fs::create_directories(run.path() / "samples");
  append(run.path() / "checkpoint-7.tmp.123" / "model.safetensors", "half");
  append(run.path() / "config.toml.tmp123-4", "half");
  append(run.path() / "samples" / "0000005.png.tmp99-0", "half");
  append(run.path() / "notes.tmpl", "the user's");
  fs::create_symlink("checkpoint-7", run.path() / "latest.tmp.123");
  RunFolder::open(run.path()).lock();
  const std::set<std::string> expected{".lock", "checkpoint-5", "config.toml", "latest", "notes.tmpl", "samples"};
  EXPECT_EQ(names_in(run.path()), expected);
  EXPECT_TRUE(fs::is_empty(run.path() / "samples"));
}

// ---- checkpoints

TEST_F(RunFolderTest, SaveAndLoad) {
  const auto run = new_run();
  EXPECT_FALSE(run.has_checkpoint());
  EXPECT_HAS(error_of([&] { run.latest(); }), "no checkpoint yet");
  EXPECT_HAS(error_of([&] { run.load_latest(); }), run.path().string());

  auto checkpoint = make_checkpoint(5);
  checkpoint.best_score = 0.1;
  run.save(checkpoint, true, 3);
  run.save(make_checkpoint(10), false, 3);
  EXPECT_TRUE(run.has_checkpoint());
  EXPECT_EQ(run.latest(), run.path() / "checkpoint-10");
  EXPECT_EQ(run.best(), run.path() / "checkpoint-5");
  EXPECT_EQ(fs::read_symlink(run.path() / "latest"), "checkpoint-10");
  const Checkpoint loaded = run.load_latest(), best = RunFolder::load(run.best());
  expect_is(loaded, 10);
  EXPECT_FALSE(loaded.best_score);
  expect_is(best, 5);
  EXPECT_EQ(best.best_score, 0.1);
  EXPECT_EQ(best.model.metadata.at("config"), "seed = 1\n");

  const std::set<std::string> files{"model.safetensors", "model_ema.safetensors", "optimizer.safetensors",
                                    "state.json"};
  EXPECT_EQ(names_in(run.latest()), files);
  const json state = json::parse(read_file(run.best() / "state.json", "state"));
  EXPECT_EQ(state["format"], 1);
  EXPECT_EQ(state["step"], 5);
  EXPECT_EQ(state["best_score"], 0.1);
  EXPECT_EQ(state["uvic_version"], UVIC_VERSION);
  const fs::path ema = run.best() / "model_ema.safetensors";
  EXPECT_EQ(state["files"]["model_ema.safetensors"], (json{{"bytes", fs::file_size(ema)}}));
}

TEST_F(RunFolderTest, BestWithoutAScoreIsLatest) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  EXPECT_EQ(run.best(), run.path() / "checkpoint-5");
}

TEST_F(RunFolderTest, RotationKeepsTheNewestAndTheBest) {
  const auto run = new_run();
  for (const int64_t step : {5, 10, 15, 100, 105}) run.save(make_checkpoint(step), step == 10, 2);
  EXPECT_EQ(checkpoints_in(run.path()), (std::set<std::string>{"checkpoint-10", "checkpoint-100", "checkpoint-105"}));
  run.save(make_checkpoint(110), true, 1);
  EXPECT_EQ(checkpoints_in(run.path()), (std::set<std::string>{"checkpoint-110"}));
  for (const int64_t step : {115, 120, 125}) run.save(make_checkpoint(step), false, 0);
  EXPECT_EQ(checkpoints_in(run.path()).size(), 4U);
}

TEST_F(RunFolderTest, SavingAStepBehindOthersKeepsIt) {
  const auto run = new_run();
  for (const int64_t step : {5, 10, 15}) run.save(make_checkpoint(step), false, 3);
  run.save(make_checkpoint(7), false, 1);  // a run that went back to step 5
  EXPECT_EQ(run.latest(), run.path() / "checkpoint-7");
  expect_is(run.load_latest(), 7);
  EXPECT_FALSE(fs::exists(run.path() / "checkpoint-5"));
}

TEST_F(RunFolderTest, TheSameStepIsReplaced) {
  const auto run = new_run();
  run.save(make_checkpoint(5, 8), false, 3);
  run.save(make_checkpoint(5, 100), false, 3);
  EXPECT_EQ(run.load_latest().model.tensors.at("w").numel(), 100);
  EXPECT_EQ(checkpoints_in(run.path()), (std::set<std::string>{"checkpoint-5"}));
}

TEST_F(RunFolderTest, AReplacementCutShortIsUndone) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  // The moment between the two renames, where names cannot be exchanged.
  fs::rename(run.path() / "checkpoint-5", run.path() / "checkpoint-5.old");
  expect_is(run.load_latest(), 5);
  run.lock();
  EXPECT_EQ(checkpoints_in(run.path()), (std::set<std::string>{"checkpoint-5"}));
  expect_is(run.load_latest(), 5);
  // After both of them.
  fs::copy(run.path() / "checkpoint-5", run.path() / "checkpoint-5.old");
  EXPECT_EQ(run.latest(), run.path() / "checkpoint-5");
}

TEST_F(RunFolderTest, DamagedCheckpointIsNamedAndAnOlderOneLoaded) {
  struct Damage {
    const char* file;
    std::function<void(const fs::path&)> apply;
    const char* says;
  };
  const Damage damages[] = {
      {"model.safetensors", [](const fs::path& p) { fs::resize_file(p, fs::file_size(p) - 1); }, "bytes"},
      {"model_ema.safetensors", [](const fs::path& p) { fs::remove(p); }, "No such file"},
      {"optimizer.safetensors", [](const fs::path& p) { append(p, "x"); }, "bytes"},
      {"state.json", [](const fs::path& p) { fs::resize_file(p, 20); }, "damaged"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":1,"step":"five"})"; }, "damaged"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":2})"; }, "format 2"},
      {"state.json", [](const fs::path& p) { fs::remove(p); }, "No such file"},
  };
  for (const auto& damage : damages) {
    const auto run = new_run();
    run.save(make_checkpoint(5), false, 3);
    run.save(make_checkpoint(10), false, 3);
    const fs::path file = run.path() / "checkpoint-10" / damage.file;
    damage.apply(file);
    const std::string shown = shown_by([&] { expect_is(run.load_latest(), 5); });
    EXPECT_HAS(shown, "warning: ");
    EXPECT_HAS(shown, file.string());
    EXPECT_HAS(shown, damage.says);
    EXPECT_HAS(error_of([&] { RunFolder::load(run.path() / "checkpoint-10"); }), file.string());
  }
}

TEST_F(RunFolderTest, NoCheckpointLoadsIsAnError) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  fs::resize_file(run.path() / "checkpoint-5" / "model.safetensors", 3);
  shown_by([&] { EXPECT_HAS(error_of([&] { run.load_latest(); }), "no checkpoint that can be loaded"); });
}

TEST_F(RunFolderTest, DanglingLatestFallsBackToTheNewest) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  run.save(make_checkpoint(10), false, 3);
  fs::remove_all(run.path() / "checkpoint-10");
  expect_is(run.load_latest(), 5);
  fs::remove(run.path() / "latest");
  EXPECT_EQ(run.latest(), run.path() / "checkpoint-5");
}

TEST_F(RunFolderTest, DiskFullKeepsWhatWasThere) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  const auto before = names_in(run.path());
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit tight{.rlim_cur = 100000, .rlim_max = limit.rlim_max};
  const auto handler = signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &tight);
  const std::string message = error_of([&] { run.save(make_checkpoint(10, 1000000), true, 3); });
  setrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, handler);
  EXPECT_HAS(message, "model.safetensors");
  EXPECT_HAS(message, "File too large");
  EXPECT_EQ(names_in(run.path()), before);
  expect_is(run.load_latest(), 5);
}

// A process that saves as fast as it can is killed at random moments. Every time the run can be loaded, nothing is ever
// lost that `latest` named before, and what is loaded is of one piece.
TEST_F(RunFolderTest, SurvivesKills) {
  const auto run = new_run();
  std::srand(1);
  int64_t step = 0;
  const auto begin = std::chrono::steady_clock::now();
  run.save(make_checkpoint(step, 20000), true, 2);
  const std::chrono::duration<double, std::micro> one_save = std::chrono::steady_clock::now() - begin;
  for (int kill_number = 0; kill_number < 12; ++kill_number) {
    const pid_t child = fork();
    if (child == 0) {
      try {
        run.lock();
        for (int64_t k = step;; ++k) run.save(make_checkpoint(k, 20000), k % 3 == 0, 2);
      } catch (...) {
        _exit(1);  // seen below: it was not the signal that ended it
      }
    }
    usleep(static_cast<useconds_t>((0.5 + 3.5 * std::rand() / RAND_MAX) * one_save.count()));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    const std::string shown = shown_by([&] {
      const Checkpoint checkpoint = RunFolder::open(run.path()).load_latest();
      expect_is(checkpoint, checkpoint.step);
      EXPECT_GE(checkpoint.step, step);
      step = checkpoint.step;
      const Checkpoint best = RunFolder::load(run.best());
      expect_is(best, best.step);
      EXPECT_EQ(best.step % 3, 0);
    });
    EXPECT_EQ(shown, "");
  }
  EXPECT_GT(step, 0);
  run.lock();
  EXPECT_LE(checkpoints_in(run.path()).size(), 4U);
}

// ---- records

TEST_F(RunFolderTest, RecordsToJsonCsvAndTensorBoard) {
  auto run = new_run();
  run.record(1, {{"loss", 0.1}, {"lr", 1e-4}});
  run.record(2, {{"loss", std::nan("")}, {"lr", 1.0 / 0.0}});
  run.record(2, {{"fid", 12.5}});
  run.record(3, {{"loss", 0.30000000000000004}});
  const auto rows = lines_of(run.path() / "stats.jsonl");
  ASSERT_EQ(rows.size(), 4U);
  const json first = json::parse(rows[0]);
  EXPECT_EQ(first["step"], 1);
  EXPECT_EQ(first["loss"], 0.1);
  EXPECT_GT(first["time"], 1.7e9);
  EXPECT_TRUE(json::parse(rows[1])["loss"].is_null() && json::parse(rows[1])["lr"].is_null());
  const std::vector<std::string> table{"step,loss,lr,fid", "1,0.1,0.0001,", "2,,,", "2,,,12.5",
                                       "3,0.30000000000000004,,"};
  EXPECT_EQ(lines_of(run.path() / "metrics.csv"), table);
  int events = 0;
  for (const auto& name : names_in(run.path())) events += name.starts_with("events.out.tfevents.");
  EXPECT_EQ(events, 1);
}

TEST_F(RunFolderTest, AReopenedRunKeepsItsColumns) {
  auto run = new_run();
  run.record(1, {{"b", 1}});
  auto again = RunFolder::open(run.path());
  again.record(2, {{"a", 3}, {"b", 2}});
  EXPECT_EQ(lines_of(run.path() / "metrics.csv"), (std::vector<std::string>{"step,b,a", "1,1,", "2,2,3"}));
}

TEST_F(RunFolderTest, RewindDropsLaterAndHalfRows) {
  auto run = new_run();
  for (int64_t step = 1; step <= 12; ++step) run.record(step, {{"loss", 1.0 / step}});
  append(run.path() / "stats.jsonl", R"({"step":3,"lo)");
  append(run.path() / "metrics.csv", "3,0.");
  auto again = RunFolder::open(run.path());
  again.rewind(10);
  again.record(11, {{"loss", 0.5}});
  const auto rows = lines_of(run.path() / "stats.jsonl"), table = lines_of(run.path() / "metrics.csv");
  ASSERT_EQ(rows.size(), 11U);
  ASSERT_EQ(table.size(), 12U);
  for (int64_t step = 1; step <= 11; ++step) EXPECT_EQ(json::parse(rows[step - 1])["step"], step);
  EXPECT_EQ(table[0], "step,loss");
  EXPECT_EQ(table[10], "10,0.1");
  EXPECT_EQ(table[11], "11,0.5");
}

TEST_F(RunFolderTest, RewindOfNothingAndOfHalfAHeader) {
  auto run = new_run();
  EXPECT_NO_THROW(run.rewind(0));
  append(run.path() / "metrics.csv", "step,lo");
  run.rewind(0);
  run.record(1, {{"loss", 2}});
  EXPECT_EQ(lines_of(run.path() / "metrics.csv"), (std::vector<std::string>{"step,loss", "1,2"}));
}

TEST_F(RunFolderTest, ImagesAreNumberedByStep) {
  auto run = new_run();
  const Tensor image = at::arange(4 * 5 * 3, at::kByte).reshape({4, 5, 3});
  run.record_image(5000, "samples", image);
  EXPECT_TRUE(at::equal(read_image(run.path() / "samples" / "0005000.png"), image));
}

TEST_F(RunFolderTest, TextAndLog) {
  const auto run = new_run();
  run.write_text("command.txt", "uvic train --preset smoke\n");
  run.append_text("command.txt", "uvic train --resume latest\n");
  run.append_log("started");
  run.append_log("saved");
  EXPECT_EQ(lines_of(run.path() / "command.txt").size(), 2U);
  const auto log = lines_of(run.path() / "log.txt");
  ASSERT_EQ(log.size(), 2U);
  EXPECT_TRUE(std::regex_match(log[1], std::regex(R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d saved)"))) << log[1];
  EXPECT_HAS(error_of([&] { run.append_text("no/such/folder.txt", "x"); }), "no/such/folder.txt");
}

}  // namespace
}  // namespace uvic
