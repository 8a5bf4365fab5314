#include "train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>
#include <thread>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "train/event_file.h"

namespace uvic {
namespace {

// The number of "00007-name" or "00007"; -1 for other names.
int64_t run_number(const fs::path& folder) {
  const std::string name = folder.filename().string();
  int64_t number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || number < 0) return -1;
  return end == name.data() + name.size() || *end == '-' ? number : -1;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error)) found.push_back(entry.path());
  return found;
}

std::string safe_name(std::string name) {
  constexpr size_t kMaxLength = 100;
  for (char& c : name) {
    const bool fine =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (!fine) c = '-';
  }
  return name.empty() ? "run" : name.substr(0, kMaxLength);
}

// What stands at the top of a run folder beside checkpoints, links to them and TensorBoard's files.
constexpr std::string_view kTexts[] = {"config.toml", "device.txt",  "command.txt", "machine.jsonl",
                                       "log.txt",     "stats.jsonl", "metrics.csv"};
constexpr const char* kLock = ".lock";
constexpr int kLockTries = 5;  // is_being_trained() of another process has the lock for a moment
constexpr const char* kSamples = "samples";

// The base of a name made of `base`, ".tmp" and numbers as `tail` says, with '#' for a number; empty for other names.
std::string base_of(const std::string& name, std::string_view tail) {
  const size_t at = std::min(name.rfind(".tmp"), name.size());
  std::string form;
  for (const char c : name.substr(at)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit || !form.ends_with('#')) form += digit ? '#' : c;
  }
  return form == tail ? name.substr(0, at) : "";
}

// The highest-numbered that is meant; empty if there is none.
template <class F>
fs::path newest_run(const fs::path& parent, const F& is_meant) {
  fs::path newest;
  for (const auto& entry : entries(parent))
    if ((newest.empty() || run_number(entry) > run_number(newest)) && RunFolder::is_run(entry) && is_meant(entry))
      newest = entry;
  return newest;
}

constexpr std::string_view kUnwritten = ".tmp#-#";  // of write_atomically
constexpr std::string_view kUnnamed = ".tmp.#";     // of checkpoints and links

bool is_sample(const std::string& name) {
  const fs::path path(name);
  return path.extension() == ".png" && path.stem().string().find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

RunFolder::Open::~Open() {
  if (lock >= 0) ::close(lock);
}

RunFolder::RunFolder(fs::path path) : path_(std::move(path)), open_(std::make_shared<Open>()) {}

RunFolder RunFolder::create(const fs::path& parent, const std::string& name) {
  std::error_code error;
  fs::create_directories(parent, error);
  if (!fs::is_directory(parent)) fail("cannot create the folder {} for runs: {}", parent.string(), error.message());
  int64_t number = -1;
  for (const auto& entry : entries(parent)) number = std::max(number, run_number(entry));
  // A bare NNNNN claims the number for one process; it gets its name once nobody else is seen to have used the number.
  for (++number;; ++number) {
    const fs::path claim = parent / fmt::format("{:05}", number);
    if (mkdir(claim.c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      fail("cannot create a run folder in {}: {}", parent.string(), std::strerror(errno));
    }
    bool taken = false;
    for (const auto& entry : entries(parent))
      taken |= run_number(entry) == number && entry.filename() != claim.filename();
    const fs::path path = parent / fmt::format("{:05}-{}", number, safe_name(name));
    if (!taken) {
      if (::rename(claim.c_str(), path.c_str()) == 0) return RunFolder(path);
      fail("cannot rename {} to {}: {}", claim.string(), path.string(), std::strerror(errno));
    }
    ::rmdir(claim.c_str());
  }
}

bool RunFolder::is_run(const fs::path& path) {
  return fs::is_regular_file(path / "config.toml");
}

RunFolder RunFolder::open(const fs::path& folder) {
  if (!fs::exists(folder)) fail("no run folder {}", folder.string());
  if (!is_run(folder)) {
    fail("{} is no run folder: it holds no config.toml (a run looks like runs/00007-name)", folder.string());
  }
  // "runs/00007-name/" would have an empty file name.
  return RunFolder(folder.has_filename() ? folder : folder.parent_path());
}

RunFolder RunFolder::open_latest(const fs::path& parent) {
  const fs::path latest = newest_run(parent, [](const fs::path&) { return true; });
  if (latest.empty())
    fail("no run in the folder {}: start one with 'uvic train', or name the folder of your runs", parent.string());
  return RunFolder(latest);
}

std::optional<RunFolder> RunFolder::find(const fs::path& parent, const std::string& name) {
  const fs::path latest = newest_run(parent, [&](const fs::path& run) {
    return run.filename() == fmt::format("{:05}-{}", run_number(run), safe_name(name));
  });
  if (latest.empty()) return std::nullopt;
  return RunFolder(latest);
}

void RunFolder::lock() const {
  if (open_->lock >= 0) return;
  expect_own_files();
  const fs::path file = path_ / kLock;
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) fail("cannot write to the run folder {}: {}", path_.string(), std::strerror(errno));
  const auto try_lock = [fd] { return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno; };
  int error = try_lock();
  for (int again = 0; error == EWOULDBLOCK && again < kLockTries; ++again) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    error = try_lock();
  }
  if (error != 0) {
    char pid[32] = {};
    const bool known = ::read(fd, pid, sizeof pid - 1) > 0;
    ::close(fd);
    if (error != EWOULDBLOCK) fail("cannot lock the run folder {}: {}", path_.string(), std::strerror(error));
    fail("another process{} trains into {}: stop it first, or start a new run",
         known ? fmt::format(" (pid {})", std::atol(pid)) : "", path_.string());
  }
  open_->lock = fd;
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0)
    fail("cannot write {}: {}", file.string(), std::strerror(errno));
}

bool RunFolder::is_being_trained() const {
  const int fd = ::open((path_ / kLock).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  const bool is_held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return is_held;
}

void RunFolder::expect_own_files() const {
  for (const auto& entry : entries(path_)) {
    const std::string name = entry.filename().string();
    const bool file = std::ranges::count(kTexts, name) > 0 || name == kLock;
    const bool folder = name == kSamples || checkpoint_step(entry) >= 0;
    std::error_code error;
    const fs::file_status status = fs::symlink_status(entry, error);
    if ((file || folder) && fs::is_symlink(status))
      fail("{} is a link, and a run is written in its own folder only: put what it leads to in its place",
           entry.string());
    if ((file && !fs::is_regular_file(status)) || (folder && !fs::is_directory(status)))
      fail("{} is no {}: move it away", entry.string(), file ? "regular file" : "folder");
  }
}

void RunFolder::tidy() const {
  for (const auto& entry : entries(path_)) {
    const std::string name = entry.filename().string(), named = base_of(name, kUnnamed);
    if (std::ranges::count(kTexts, base_of(name, kUnwritten)) > 0 || named == "latest" || named == "best" ||
        checkpoint_step(named) >= 0)
      discard(entry);
  }
  for (const auto& entry : entries(path_ / kSamples))
    if (is_sample(base_of(entry.filename().string(), kUnwritten))) discard(entry);
  recover_checkpoints();
}

void RunFolder::discard(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);  // a link goes, not what it leads to
  if (error) warn(fmt::format("cannot remove {}: {}; remove it by hand", path.string(), error.message()));
}

void RunFolder::write_text(const std::string& name, const std::string& text) const {
  write_atomically(path_ / name, text);
}

// One write with O_APPEND, so that a kill leaves at most one half line, which the next line does not go on with.
void RunFolder::append_text(const std::string& name, const std::string& text) const {
  const fs::path path = path_ / name;
  const auto stop = [&](int error) { fail("cannot write to {}: {}", path.string(), std::strerror(error)); };
  const int fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) stop(errno);
  const off_t size = ::lseek(fd, 0, SEEK_END);
  char last = '\n';
  if (size > 0 && ::pread(fd, &last, 1, size - 1) < 0) last = '\n';
  const std::string line = last == '\n' ? text : "\n" + text;
  const ssize_t written = ::write(fd, line.data(), line.size());
  const int error = written < 0 ? errno : ENOSPC;
  ::close(fd);
  if (written != static_cast<ssize_t>(line.size())) stop(error);
}

void RunFolder::append_log(const std::string& line) const {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S ", &local);
  append_text("log.txt", stamp + line + "\n");
}

}  // namespace uvic
