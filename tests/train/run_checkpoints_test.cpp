#include "tests/train/run_folder.h"

namespace uvic::run_checkpoints_test {
namespace {

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
  EXPECT_EQ(state["format"], 2);
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
  run.tidy();
  EXPECT_EQ(checkpoints_in(run.path()), (std::set<std::string>{"checkpoint-5"}));
  expect_is(run.load_latest(), 5);
  // After both of them.
  fs::copy(run.path() / "checkpoint-5", run.path() / "checkpoint-5.old");
  EXPECT_EQ(run.latest(), run.path() / "checkpoint-5");
}

void flip_last_byte(const fs::path& path) {
  std::string bytes = read_file(path, "file");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  std::ofstream(path, std::ios::binary) << bytes;
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
      {"model.safetensors", [](const fs::path& p) { flip_last_byte(p); }, "checksum"},
      {"optimizer.safetensors", [](const fs::path& p) { flip_last_byte(p); }, "checksum"},
      {"state.json", [](const fs::path& p) { fs::resize_file(p, 20); }, "damaged"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":1,"step":"five"})"; }, "damaged"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":3})"; }, "format 3"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << std::string(1'000'000, '['); }, "64 levels"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":1,"step":1e300})"; },
       "\"step\" is 1e+300"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":1,"step":-5})"; }, "\"step\" is -5"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":1,"step":10,"best_score":"x"})"; },
       "\"best_score\" is \"x\""},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << R"({"format":1,"step":10,"best_score":1})"; },
       "lack model.safetensors"},
      {"state.json", [](const fs::path& p) { std::ofstream(p) << "[1]"; }, "no \"format\""},
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

TEST_F(RunFolderTest, WhatCannotBeRemovedIsAWarning) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 1);
  // Root may remove anything, so the test goes on as somebody else.
  constexpr uid_t kNobody = 65534;
  const bool root = ::geteuid() == 0;
  if (root) {
    for (const fs::path& path : {parent_, run.path(), run.path() / "checkpoint-5"})
      ASSERT_EQ(::chown(path.c_str(), kNobody, static_cast<gid_t>(-1)), 0);
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  fs::permissions(run.path() / "checkpoint-5", fs::perms::owner_read | fs::perms::owner_exec);
  const std::string shown = shown_by([&] { run.save(make_checkpoint(10), false, 1); });
  if (root) {
    ASSERT_EQ(::seteuid(0), 0);
  }
  EXPECT_HAS(shown, "warning: cannot remove " + run.path().string());
  for (const auto& entry : fs::directory_iterator(run.path()))
    if (entry.is_directory() && !entry.is_symlink()) fs::permissions(entry.path(), fs::perms::owner_all);
  expect_is(run.load_latest(), 10);
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
  std::chrono::duration<double, std::micro> window = std::chrono::steady_clock::now() - begin;
  for (int kill_number = 0; kill_number < 12; ++kill_number) {
    const pid_t child = fork();
    if (child == 0) {
      try {
        run.lock();
        run.tidy();
        for (int64_t k = step;; ++k) run.save(make_checkpoint(k, 20000), k % 3 == 0, 2);
      } catch (...) {
        _exit(1);  // seen below: it was not the signal that ended it
      }
    }
    usleep(static_cast<useconds_t>((0.5 + 3.5 * std::rand() / RAND_MAX) * window.count()));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));
    const std::string shown = shown_by([&] {
      const Checkpoint checkpoint = RunFolder::open(run.path()).load_latest();
      expect_is(checkpoint, checkpoint.step);
      EXPECT_GE(checkpoint.step, step);
      if (checkpoint.step == step) window *= 1.5;  // the child may be slower than this process was, on a busy machine
      step = checkpoint.step;
      const Checkpoint best = RunFolder::load(run.best());
      expect_is(best, best.step);
      EXPECT_EQ(best.step % 3, 0);
    });
    EXPECT_EQ(shown, "");
  }
  EXPECT_GT(step, 0);
  run.tidy();
  EXPECT_LE(checkpoints_in(run.path()).size(), 4U);
}

// ---- records

}  // namespace
}  // namespace uvic::run_checkpoints_test
