#include "app/inspect/run_record.h"

#include <gtest/gtest.h>

#include "app/training/machine.h"
#include "tests/temporary.h"

namespace uvic::run_record_test {
namespace {

constexpr const char* kConfig = "[train]\nsteps = 100\nbatch = 8\naccumulate = 2\n\n[data]\nlength = 10\n";

class RunRecordTest : public testing::Test {
 protected:
  void SetUp() override { folder_.put("config.toml", kConfig); }

  void put_checkpoint(int64_t step, const std::string& best) const {
    const std::string name = "checkpoint-" + std::to_string(step);
    folder_.put(name + "/state.json", fmt::format("{{\"step\": {}, \"best_score\": {}}}", step, best));
    folder_.put(name + "/model.safetensors", "12345");
  }

  const TemporaryFolder folder_;
};

TEST_F(RunRecordTest, RowsAreThoseThatAreComplete) {
  folder_.put("stats.jsonl",
              "{\"step\":5,\"time\":100.5,\"loss\":0.5,\"lr\":null}\n"
              "no row\n"
              "{\"step\":10,\"loss\":0.4}\n"
              "{\"step\":15,\"loss\":0.3}\n"
              "{\"step\":10,\"loss\":0.35,\"word\":\"x\"}\n"  // gone on with from step 5
              "{\"step\":20,\"lo");
  const std::vector<RunRow> rows = read_rows(folder_.path());
  ASSERT_EQ(rows.size(), 2);
  EXPECT_EQ(rows[0].step, 5);
  EXPECT_EQ(rows[0].time, 100.5);
  EXPECT_EQ(rows[0].values, (std::map<std::string, double>{{"loss", 0.5}}));
  EXPECT_EQ(rows[1].values, (std::map<std::string, double>{{"loss", 0.35}}));
  EXPECT_EQ(read_rows(folder_.path(), 5).size(), 1);
  EXPECT_EQ(read_rows(folder_.path(), 10).size(), 0);
}

TEST_F(RunRecordTest, AnEmptyRunIsOneThatHasNotBegun) {
  for (const char* rows : {"", "{\"step\":1"}) {
    folder_.put("stats.jsonl", rows);
    const RunRecord run = read_run(folder_.path());
    EXPECT_EQ(run.state, RunState::kNotBegun);
    EXPECT_EQ(run.steps, 100);
    EXPECT_TRUE(run.rows.empty());
    EXPECT_TRUE(scores_in(run.rows).empty());
  }
}

TEST_F(RunRecordTest, ScoresAreWhatTheLoopDoesNotRecord) {
  folder_.put("stats.jsonl",
              "{\"step\":5,\"loss\":1,\"FID\":9.5,\"FID_low\":9,\"FID_high\":10,\"images_per_second\":3,"
              "\"grad_norm\":1,\"lr\":1,\"rank_seconds_mean\":1}\n"
              "{\"step\":6,\"perplexity\":20}\n");
  const std::vector<ScoreRow> scores = scores_in(read_rows(folder_.path()));
  ASSERT_EQ(scores.size(), 2);
  EXPECT_EQ(scores[0].label, "FID");
  EXPECT_EQ(scores[0].interval, std::pair(9.0, 10.0));
  EXPECT_EQ(scores[1].label, "perplexity");
  EXPECT_EQ(scores[1].step, 6);
  EXPECT_FALSE(scores[1].interval);
}

TEST_F(RunRecordTest, TimeOfTrainingIsStepsOverSpeedWhateverTheClockSays) {
  folder_.put("stats.jsonl",
              "{\"step\":10,\"time\":1000,\"images_per_second\":16}\n"  // 10 steps of 16 images
              "{\"step\":30,\"time\":9000,\"images_per_second\":32}\n");
  EXPECT_EQ(seconds_trained(read_run(folder_.path())), (std::vector<double>{10, 20}));
  folder_.put("stats.jsonl", "{\"step\":10,\"tokens_per_second\":160}\n{\"step\":20,\"loss\":1}\n");
  EXPECT_EQ(seconds_trained(read_run(folder_.path())), (std::vector<double>{10, 10}));
}

TEST_F(RunRecordTest, CheckpointsComeByStepAndTheBestIsKnown) {
  put_checkpoint(50, "3.5");
  put_checkpoint(9, "null");
  folder_.put("checkpoint-60.tmp.1/state.json", "{}");
  folder_.put("checkpoint-70/model.safetensors", "");
  fs::create_symlink("checkpoint-50", folder_ / "best");
  const std::vector<SavedCheckpoint> saved = list_checkpoints(folder_.path());
  ASSERT_EQ(saved.size(), 2);
  EXPECT_EQ(saved[0].step, 9);
  EXPECT_FALSE(saved[0].best_score);
  EXPECT_FALSE(saved[0].is_best);
  EXPECT_EQ(saved[1].name, "checkpoint-50");
  EXPECT_EQ(saved[1].best_score, 3.5);
  EXPECT_TRUE(saved[1].is_best);
  EXPECT_GT(saved[1].bytes, 5);
  EXPECT_GT(saved[1].time, 1e9);

  folder_.put("checkpoint-50/state.json", "{\"step\": -1}");
  expect_mentions(error_of([&] { list_checkpoints(folder_.path()); }), {"checkpoint-50/state.json is damaged", "step"});
}

TEST_F(RunRecordTest, StateIsThatOfTheLockAndTheSteps) {
  EXPECT_EQ(read_run(folder_.path()).state, RunState::kNotBegun);
  folder_.put("stats.jsonl", "{\"step\":40,\"loss\":1}\n");
  put_checkpoint(50, "null");
  RunRecord run = read_run(folder_.path());
  EXPECT_EQ(run.state, RunState::kStopped);
  EXPECT_EQ(run.step, 50);
  {
    const RunFolder trained = RunFolder::open(folder_.path());
    trained.lock();
    EXPECT_EQ(read_run(folder_.path()).state, RunState::kTraining);
  }
  put_checkpoint(100, "null");
  EXPECT_EQ(read_run(folder_.path()).state, RunState::kFinished);
  RunFolder::open(folder_.path()).lock();  // a look at it leaves no lock behind
}

TEST_F(RunRecordTest, WhatLinksLeadToIsNotRead) {
  const TemporaryFolder elsewhere;
  elsewhere.put("secret.txt", "secret\n");
  elsewhere.put("samples/1.txt", "secret");
  folder_.put("samples/2.txt", "");
  fs::create_symlink(elsewhere / "secret.txt", folder_ / "command.txt");
  fs::create_symlink(elsewhere / "secret.txt", folder_ / "samples/1.txt");
  const RunRecord run = read_run(folder_.path());
  EXPECT_TRUE(run.commands.empty());
  ASSERT_EQ(run.samples.size(), 1);
  EXPECT_EQ(run.samples[0].step, 2);
  fs::remove_all(folder_ / "samples");
  fs::create_directory_symlink(elsewhere / "samples", folder_ / "samples");
  EXPECT_TRUE(list_samples(folder_.path()).empty());
}

TEST_F(RunRecordTest, WhatIsNoRunIsNamed) {
  expect_mentions(error_of([&] { read_run(folder_ / "nowhere"); }), {"no run folder", "nowhere"});
  fs::create_directory(folder_ / "bare");
  expect_mentions(error_of([&] { read_run(folder_ / "bare"); }), {"no config.toml"});
  folder_.put("config.toml", "\xff\n");
  expect_mentions(error_of([&] { read_run(folder_.path()); }), {"config.toml", "UTF-8"});
}

TEST(MachineEntry, TellsTheProcessor) {
  EXPECT_EQ(processor_name("processor\t: 0\nmodel name\t: A B @ 2GHz\nmodel name\t: C\n"), "A B @ 2GHz");
  EXPECT_EQ(processor_name("processor: 0\n"), "");
  const auto entry = machine_entry(7, at::kCPU, 2);
  EXPECT_EQ(entry["step"], 7);
  EXPECT_EQ(entry["ranks"], 2);
  EXPECT_EQ(entry["device"], "cpu");
  EXPECT_GE(entry["threads"].get<int>(), 1);
}

}  // namespace
}  // namespace uvic::run_record_test
