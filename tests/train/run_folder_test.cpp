#include "tests/train/run_folder.h"

namespace uvic::run_folder_test {
namespace {

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

TEST_F(RunFolderTest, LockLeavesTheRunAsItIs) {
  const auto run = new_run();
  append(run.path() / "config.toml.tmp123-4", "half");
  fs::create_directories(run.path() / "checkpoint-7.old");
  const auto before = names_in(run.path());
  RunFolder::open(run.path()).lock();
  auto after = names_in(run.path());
  EXPECT_EQ(after.erase(".lock"), 1U);
  EXPECT_EQ(after, before);
}

TEST_F(RunFolderTest, TidyClearsLeftoversOfUvicAlone) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  fs::create_directories(run.path() / "checkpoint-7.tmp.123");
  fs::create_directories(run.path() / "samples");
  append(run.path() / "checkpoint-7.tmp.123" / "model.safetensors", "half");
  append(run.path() / "config.toml.tmp123-4", "half");
  append(run.path() / "samples" / "0000005.png.tmp99-0", "half");
  fs::create_symlink("checkpoint-7", run.path() / "latest.tmp.123");
  const std::set<std::string> theirs{"notes.tmpl",         "notes.tmp",          "notes.tmp1-2",
                                     "thesis.tex.tmp.5",   "config.toml.tmp",    "config.toml.tmp1-2x",
                                     "latest.tmp1-2",      "config.toml.tmp.7",  ".tmp1-2",
                                     "checkpoint-x.tmp.1", "xconfig.toml.tmp1-2"};
  for (const auto& name : theirs) append(run.path() / name, "the user's");
  append(run.path() / "samples" / "mine.png.tmp1-2", "the user's");
  run.tidy();
  std::set<std::string> expected{"checkpoint-5", "config.toml", "latest", "samples"};
  expected.insert(theirs.begin(), theirs.end());
  EXPECT_EQ(names_in(run.path()), expected);
  EXPECT_EQ(names_in(run.path() / "samples"), (std::set<std::string>{"mine.png.tmp1-2"}));
}

TEST_F(RunFolderTest, TidyRemovesALinkAndNotWhatItLeadsTo) {
  const auto run = new_run();
  fs::create_directories(parent_ / "outside");
  append(parent_ / "outside" / "thesis", "the user's");
  fs::create_directory_symlink(parent_ / "outside", run.path() / "checkpoint-7.tmp.123");
  run.tidy();
  EXPECT_EQ(names_in(run.path()), (std::set<std::string>{"config.toml"}));
  EXPECT_TRUE(fs::exists(parent_ / "outside" / "thesis"));
}

TEST_F(RunFolderTest, LinksInARunAreNotWrittenThrough) {
  const fs::path outside = parent_ / "outside";
  append(outside, "precious");
  for (const char* name :
       {".lock", "command.txt", "log.txt", "stats.jsonl", "metrics.csv", "device.txt", "samples", "checkpoint-5"}) {
    const auto run = new_run();
    fs::create_symlink(outside, run.path() / name);
    EXPECT_HAS(error_of([&] { run.lock(); }), (run.path() / name).string() + " is a link");
    EXPECT_EQ(read_file(outside, "file"), "precious") << name;
  }
  const auto piped = new_run();
  ASSERT_EQ(::mkfifo((piped.path() / "stats.jsonl").c_str(), 0600), 0);
  EXPECT_HAS(error_of([&] { piped.lock(); }), "stats.jsonl is no regular file");
  const auto run = new_run();
  run.save(make_checkpoint(5), true, 3);
  EXPECT_NO_THROW(run.lock());  // `latest` and `best` are ours
  fs::create_symlink(outside, run.path() / "log.txt");
  EXPECT_HAS(error_of([&] { run.append_log("x"); }), "log.txt");
  EXPECT_EQ(read_file(outside, "file"), "precious");
}

TEST_F(RunFolderTest, BestNamesACheckpointOfTheRun) {
  const auto run = new_run();
  run.save(make_checkpoint(5), false, 3);
  fs::create_directories(parent_ / "elsewhere");
  append(parent_ / "elsewhere" / "state.json", "{}");
  append(parent_ / "state.json", "{}");
  for (const char* target : {"../elsewhere", "..", "."}) {
    fs::remove(run.path() / "best");
    fs::create_symlink(target, run.path() / "best");
    EXPECT_EQ(run.best(), run.path() / "checkpoint-5") << target;
  }
}

// ---- checkpoints

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
  append(run.path() / "stats.jsonl", std::string(1'000'000, '[') + "\n" + R"({"step":3,"lo)");
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
  run.record_image(5000, "samples", encode_png(image), image.size(0), image.size(1));
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

TEST_F(RunFolderTest, AHalfLineIsNotGoneOnWith) {
  const auto run = new_run();
  append(run.path() / "command.txt", "uvic tra");
  run.append_text("command.txt", "uvic train --resume latest\n");
  run.append_text("command.txt", "once more\n");
  EXPECT_EQ(lines_of(run.path() / "command.txt"),
            (std::vector<std::string>{"uvic tra", "uvic train --resume latest", "once more"}));
}

}  // namespace
}  // namespace uvic::run_folder_test
