#include "core/files.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "core/error.h"
#include "core/text.h"

namespace uvic {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int open_for_reading(const fs::path& path, std::string_view what, struct stat& status) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("cannot open the {} {}: {}", what, path.string(), std::strerror(errno));
  if (::fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) return fd;
  const bool folder = S_ISDIR(status.st_mode);
  ::close(fd);
  if (folder) fail("the {} {} is a folder; a file was expected", what, path.string());
  fail("cannot read the {} {}", what, path.string());
}

fs::path temporary_name(const fs::path& path) {
  static std::atomic<int> count = 0;
  return path.string() + fmt::format(".tmp{}-{}", ::getpid(), count++);
}

struct RemoveOnExit {
  const fs::path& path;
  bool armed = true;
  ~RemoveOnExit() {
    if (armed) ::unlink(path.c_str());
  }
};

[[noreturn]] void cannot_write(const fs::path& path, int error) {
  fail("cannot write {}: {}", path.string(), std::strerror(error));
}

// A temporary file beside `path`, written, synced, and given its name by `rename`.
void write_beside(const fs::path& path, const std::function<void(std::ostream&)>& write,
                  const std::function<void(const fs::path& temporary)>& rename) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  std::error_code created;
  fs::create_directories(folder, created);
  if (created) fail("cannot create the folder {}: {}", folder.string(), created.message());

  const fs::path temporary = temporary_name(path);
  const FileDescriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (fd.get() < 0) cannot_write(path, errno);
  RemoveOnExit remove{temporary};
  try {
    std::ofstream out;
    out.exceptions(std::ios::badbit |
                   std::ios::failbit);  // stop at the first failed write, while errno still tells why
    out.open(temporary, std::ios::binary);
    write(out);
    out.close();
  } catch (const std::ios_base::failure&) {
    cannot_write(path, errno);
  }
  if (::fsync(fd.get()) != 0 && errno != EINVAL) cannot_write(path, errno);
  rename(temporary);
  remove.armed = false;
  sync_folder(folder);
}

std::function<void(std::ostream&)> stored(std::string_view bytes) {
  return [bytes](std::ostream& out) { out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())); };
}

// False if somebody has the name.
bool take_name(const fs::path& temporary, const fs::path& path) {
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return true;
  if (errno == EEXIST) return false;
  if (errno != EINVAL && errno != ENOSYS) cannot_write(path, errno);
  // Not every file system can do that in one. Here the name is taken by an empty file first.
  if (const FileDescriptor taken(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      taken.get() < 0) {
    if (errno == EEXIST) return false;
    cannot_write(path, errno);
  }
  RemoveOnExit remove{path};
  if (::rename(temporary.c_str(), path.c_str()) != 0) cannot_write(path, errno);
  remove.armed = false;
  return true;
}

}  // namespace

std::string read_file(const fs::path& path, std::string_view what) {
  struct stat status {};
  const FileDescriptor fd(open_for_reading(path, what, status));
  std::string bytes;
  size_t used = 0;
  // Reads to the end rather than to the stated size: pipes and /proc files state none.
  while (true) {
    bytes.resize(std::max<size_t>(used + 65536, used == 0 ? static_cast<size_t>(status.st_size) + 1 : 2 * used));
    const ssize_t got = ::read(fd.get(), bytes.data() + used, bytes.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read the {} {}: {}", what, path.string(), std::strerror(errno));
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  bytes.resize(used);
  return bytes;
}

MappedFile map_file(const fs::path& path, std::string_view what) {
  struct stat status {};
  const FileDescriptor fd(open_for_reading(path, what, status));
  if (!S_ISREG(status.st_mode)) fail("the {} {} is not a regular file", what, path.string());
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return {};
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd.get(), 0);
  if (data == MAP_FAILED) fail("cannot map the {} {}: {}", what, path.string(), std::strerror(errno));
  return {std::shared_ptr<char>(static_cast<char*>(data), [size](char* p) { ::munmap(p, size); }), size};
}

void write_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  write_beside(path, write, [&](const fs::path& temporary) {
    if (::rename(temporary.c_str(), path.c_str()) != 0) cannot_write(path, errno);
  });
}

void write_atomically(const fs::path& path, std::string_view bytes) {
  write_atomically(path, stored(bytes));
}

fs::path write_new(const std::function<fs::path()>& next_name, std::string_view bytes) {
  fs::path path = next_name();
  write_beside(path, stored(bytes), [&](const fs::path& temporary) {
    while (!take_name(temporary, path)) path = next_name();
  });
  return path;
}

std::string folder_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

std::string lower_extension(const fs::path& path) {
  return lower_case(path.extension().string());
}

void sync_folder(const fs::path& folder) {
  const FileDescriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const bool synced = fd.get() >= 0 && ::fsync(fd.get()) == 0;
  if (synced || errno == EINVAL || errno == EACCES) return;
  fail("cannot sync the folder {}: {}", folder.string(), std::strerror(errno));
}

fs::path cache_folder() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  if (const std::string own = variable("UVIC_CACHE"); !own.empty()) return own;
  if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return fs::path(xdg) / "uvic";
  std::string home = variable("HOME");
  if (home.empty())
    if (const passwd* user = ::getpwuid(::getuid())) home = user->pw_dir;
  if (home.empty()) fail("no home folder for the cache: set UVIC_CACHE to a folder that may be written to");
  return fs::path(home) / ".cache" / "uvic";
}

}  // namespace uvic
