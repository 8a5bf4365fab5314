// What the tests of run folders share: a folder of their own, small checkpoints, and looks at what lies in a run.
#pragma once

#include "train/run_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
#include "core/image/image.h"
#include "core/progress.h"
#include "tests/temporary.h"

namespace uvic {

using nlohmann::json;

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

class RunFolderTest : public testing::Test {
 protected:
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

  const TemporaryFolder temporary_;
  const fs::path parent_ = temporary_.path();
};

inline Checkpoint make_checkpoint(int64_t step, int64_t numbers = 8) {
  Checkpoint checkpoint;
  checkpoint.step = step;
  checkpoint.model.tensors["w"] = at::full({numbers}, static_cast<double>(step));
  checkpoint.model.metadata["config"] = "seed = 1\n";
  checkpoint.model_ema.tensors["w"] = at::full({numbers}, step + 0.5);
  checkpoint.optimizer.tensors["w.exp_avg"] = at::full({numbers}, -static_cast<double>(step));
  return checkpoint;
}

inline void expect_is(const Checkpoint& checkpoint, int64_t step) {
  const Checkpoint expected = make_checkpoint(step, checkpoint.model.tensors.at("w").numel());
  EXPECT_EQ(checkpoint.step, step);
  EXPECT_TRUE(at::equal(checkpoint.model.tensors.at("w"), expected.model.tensors.at("w")));
  EXPECT_TRUE(at::equal(checkpoint.model_ema.tensors.at("w"), expected.model_ema.tensors.at("w")));
  EXPECT_TRUE(at::equal(checkpoint.optimizer.tensors.at("w.exp_avg"), expected.optimizer.tensors.at("w.exp_avg")));
}

inline std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.insert(entry.path().filename());
  return names;
}

inline std::set<std::string> checkpoints_in(const fs::path& folder) {
  std::set<std::string> found;
  for (const auto& name : names_in(folder))
    if (name.starts_with("checkpoint")) found.insert(name);
  return found;
}

inline std::vector<std::string> lines_of(const fs::path& path) {
  std::vector<std::string> lines;
  std::istringstream in(read_file(path, "file"));
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline void append(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

// ---- creating and opening

}  // namespace uvic
