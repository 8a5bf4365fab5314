// Checkpoints of a run: written so that a crash at any moment leaves a complete one, and found again after it.
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/progress.h"
#include "train/run_folder.h"

namespace uvic {
namespace {

constexpr const char* kFiles[] = {"model.safetensors", "model_ema.safetensors", "optimizer.safetensors"};
constexpr const char* kCheckpoint = "checkpoint-";
// A checkpoint's name while one of the same step takes its place, on file systems that cannot exchange two names.
constexpr const char* kReplaced = ".old";

fs::path temporary(const fs::path& path) {
  return path.string() + fmt::format(".tmp.{}", getpid());
}

void move_name(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    fail("cannot rename {} to {}: {}", from.string(), to.string(), std::strerror(errno));
  }
}

// Gives the complete folder `made` its final name. Where there is one of that name, the two change places, so that
// there always is one.
void move_into_place(const fs::path& made, const fs::path& folder) {
  if (!fs::exists(folder)) return move_name(made, folder);
  if (renameat2(AT_FDCWD, made.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) != 0) {
    const fs::path old = folder.string() + kReplaced;
    std::error_code error;
    fs::remove_all(old, error);
    move_name(folder, old);
    move_name(made, folder);
    move_name(old, made);
  }
}

// Points the symbolic link at `target`, in one step.
void point(const fs::path& link, const fs::path& target) {
  const fs::path made = temporary(link);
  ::unlink(made.c_str());
  if (::symlink(target.c_str(), made.c_str()) != 0) {
    fail("cannot create the link {}: {}", made.string(), std::strerror(errno));
  }
  move_name(made, link);
}

fs::path link_target(const fs::path& link) {
  std::error_code error;
  return fs::read_symlink(link, error).filename();  // empty: no such link
}

void write_checkpoint(const fs::path& folder, const Checkpoint& checkpoint) {
  nlohmann::ordered_json state{{"format", checkpoint.format},
                               {"step", checkpoint.step},
                               {"best_score", nullptr},
                               {"uvic_version", UVIC_VERSION}};
  if (checkpoint.best_score) state["best_score"] = *checkpoint.best_score;
  const TensorFile* contents[] = {&checkpoint.model, &checkpoint.model_ema, &checkpoint.optimizer};
  for (size_t i = 0; i < std::size(kFiles); ++i) {
    const fs::path file = folder / kFiles[i];
    write_safetensors(file, *contents[i]);
    std::error_code error;
    state["files"][kFiles[i]]["bytes"] = fs::file_size(file, error);
    if (error) fail("cannot read {}: {}", file.string(), error.message());
  }
  write_atomically(folder / "state.json", state.dump(2) + "\n");
  sync_folder(folder);
}

bool is_complete(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "state.json", error);
}

}  // namespace

// The step of "checkpoint-5000" or "checkpoint-5000.old"; -1 for other names.
int64_t RunFolder::checkpoint_step(const fs::path& folder) {
  const std::string name = folder.filename().string();
  if (!name.starts_with(kCheckpoint)) return -1;
  const char *begin = name.data() + std::strlen(kCheckpoint), *stop = name.data() + name.size();
  int64_t step = -1;
  const auto [end, error] = std::from_chars(begin, stop, step);
  return error == std::errc{} && step >= 0 && (end == stop || std::string_view(end, stop) == kReplaced) ? step : -1;
}

void RunFolder::save(const Checkpoint& checkpoint, bool is_best, int keep_last) const {
  const fs::path name = kCheckpoint + std::to_string(checkpoint.step), folder = path_ / name, made = temporary(folder);
  try {
    std::error_code error;
    fs::remove_all(made, error);
    if (!fs::create_directory(made, error)) fail("cannot create the folder {}: {}", made.string(), error.message());
    write_checkpoint(made, checkpoint);
  } catch (...) {
    std::error_code ignored;  // the first failure is the one to report
    fs::remove_all(made, ignored);
    throw;
  }
  move_into_place(made, folder);
  sync_folder(path_);
  point(path_ / "latest", name);
  if (is_best) point(path_ / "best", name);
  sync_folder(path_);
  discard(made);
  rotate(checkpoint.step, keep_last);
}

// Checkpoints of later steps than the one just saved are those of a killed process whose way is gone again: each is
// replaced when its step comes.
void RunFolder::rotate(int64_t newest_step, int keep_last) const {
  if (keep_last == 0) return;
  const fs::path latest = link_target(path_ / "latest"), best = link_target(path_ / "best");
  int kept = 0;
  for (const auto& folder : checkpoints()) {
    if (checkpoint_step(folder) > newest_step || ++kept <= keep_last) continue;
    if (folder.filename() != latest && folder.filename() != best) remove_checkpoint(folder);
  }
}

// Out of sight first: a removal that is cut short must not look like a damaged checkpoint.
void RunFolder::remove_checkpoint(const fs::path& folder) {
  const fs::path doomed = temporary(folder);
  move_name(folder, doomed);
  discard(doomed);
}

void RunFolder::recover_checkpoints() const {
  for (const auto& folder : checkpoints()) {
    if (folder.extension() != kReplaced) continue;
    fs::path final = folder;
    final.replace_extension();
    if (fs::exists(final)) {
      remove_checkpoint(folder);
    } else {
      move_name(folder, final);
    }
  }
}

std::vector<fs::path> RunFolder::checkpoints() const {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path_, error)) {
    if (checkpoint_step(entry.path()) >= 0) found.push_back(entry.path());
  }
  const fs::path latest = link_target(path_ / "latest");
  const auto rank = [&](const fs::path& folder) {
    return std::tuple(folder.filename() != latest, -checkpoint_step(folder), folder.extension() == kReplaced);
  };
  std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return found;
}

bool RunFolder::has_checkpoint() const {
  return !checkpoints().empty();
}

fs::path RunFolder::latest() const {
  const auto found = checkpoints();
  if (found.empty()) fail("the run {} has no checkpoint yet", path_.string());
  return found.front();
}

fs::path RunFolder::best() const {
  const fs::path target = link_target(path_ / "best");
  return checkpoint_step(target) >= 0 && is_complete(path_ / target) ? path_ / target : latest();
}

Checkpoint RunFolder::load(const fs::path& folder) {
  const fs::path state_file = folder / "state.json";
  const std::string damaged = state_file.string() + " is damaged";
  const nlohmann::json state = parse_json(read_file(state_file, "checkpoint's state"), damaged + ": it");
  Checkpoint checkpoint;
  checkpoint.format = json_whole(state, "format", damaged, 1);
  if (checkpoint.format > kCheckpointFormat)
    fail("{} has format {}, this uvic reads {}: update uvic", state_file.string(), checkpoint.format,
         kCheckpointFormat);
  checkpoint.step = json_whole(state, "step", damaged, 0);
  if (!state.contains("best_score") || !state["best_score"].is_null())
    checkpoint.best_score = json_number(state, "best_score", damaged);
  const nlohmann::json files = state.value("files", nlohmann::json());
  for (const char* name : kFiles) {
    const fs::path file = folder / name;
    if (!files.contains(name)) fail("{}: its \"files\" lack {}", damaged, name);
    const int64_t expected = json_whole(files[name], "bytes", damaged, 0);
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (error) fail("{}: {}", file.string(), error.message());
    if (size != static_cast<uintmax_t>(expected))
      fail("{} is damaged: {} bytes, but it was saved with {}", file.string(), size, expected);
  }
  TensorFile* contents[] = {&checkpoint.model, &checkpoint.model_ema, &checkpoint.optimizer};
  for (size_t i = 0; i < std::size(kFiles); ++i) *contents[i] = read_safetensors(folder / kFiles[i]);
  return checkpoint;
}

Checkpoint RunFolder::load_latest() const {
  const auto found = checkpoints();
  for (const auto& folder : found) {
    try {
      return load(folder);
    } catch (const Error& error) {
      warn(fmt::format("{}; trying an older checkpoint", error.what()));
    }
  }
  if (found.empty()) fail("the run {} has no checkpoint yet", path_.string());
  fail("the run {} has no checkpoint that can be loaded: see the warnings above", path_.string());
}

}  // namespace uvic
