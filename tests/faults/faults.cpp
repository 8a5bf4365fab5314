// A library to preload that makes the k-th change to a folder fail: every call that opens a file for writing, writes,
// syncs, renames, links, makes or removes something under UVIC_FAULTS_UNDER is counted, in all threads.
//
//   UVIC_FAULTS_UNDER  an absolute folder without links; calls elsewhere (terminal, cache) are neither counted nor hurt
//   UVIC_FAULTS_AT     k, counted from 1; 0: none fails
//   UVIC_FAULTS_MODE   enospc  call k fails with ENOSPC; a write writes half of its bytes, and the next one fails
//                      eio     call k and all after it fail with EIO
//                      kill    SIGKILL in place of call k, of a write after half of its bytes
//   UVIC_FAULTS_LOG    a file outside of that folder that gets a line for each call: its number, name and path
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

enum class Mode { kNone, kEnospc, kEio, kKill };
enum class Verdict { kGoOn, kFail, kHalf };  // kHalf: a write that ends after half of its bytes

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}
#define NEXT(name) static const auto real = next<decltype(name)>(#name)

ssize_t real_write(int fd, const void* bytes, size_t count) {
  NEXT(write);
  return real(fd, bytes, count);
}

std::string variable(const char* name) {
  const char* value = getenv(name);
  return value ? value : "";
}

struct Plan {
  std::string under = variable("UVIC_FAULTS_UNDER");
  long at = std::atol(variable("UVIC_FAULTS_AT").c_str());
  Mode mode = Mode::kNone;
  int log = -1;

  Plan() {
    const std::string name = variable("UVIC_FAULTS_MODE"), file = variable("UVIC_FAULTS_LOG");
    if (at > 0)
      mode = name == "enospc" ? Mode::kEnospc : name == "eio" ? Mode::kEio : name == "kill" ? Mode::kKill : Mode::kNone;
    NEXT(open);
    if (!file.empty()) log = real(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  }

  bool concerns(std::string_view path) const {
    return !under.empty() && path.starts_with(under) && (path.size() == under.size() || path[under.size()] == '/');
  }
};

const Plan& plan() {
  static const Plan made;
  return made;
}

std::string link_target(const char* link) {
  char target[4096];
  const ssize_t length = readlink(link, target, sizeof target);
  return {target, static_cast<size_t>(length > 0 ? length : 0)};
}

std::string path_of(int fd) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  return link_target(link);
}

std::string path_at(int folder, const char* path) {
  if (path == nullptr || path[0] == '/') return path ? path : "";
  return (folder == AT_FDCWD ? link_target("/proc/self/cwd") : path_of(folder)) + '/' + path;
}

// What becomes of a call; errno is set where it fails.
Verdict judge(const char* call, const std::string& path, bool is_write = false) {
  const int before = errno;
  const Plan& p = plan();
  if (!p.concerns(path)) return Verdict::kGoOn;
  static std::atomic<long> count = 0;
  const long k = ++count;
  if (p.log >= 0) {
    char line[4096];
    const int length = snprintf(line, sizeof line, "%ld %s %s\n", k, call, path.c_str());
    real_write(p.log, line, static_cast<size_t>(length));
  }
  errno = before;
  if (p.mode == Mode::kEio && k >= p.at) {
    errno = EIO;
    return Verdict::kFail;
  }
  if (k != p.at || p.mode == Mode::kNone) return Verdict::kGoOn;
  if (is_write) return Verdict::kHalf;
  if (p.mode == Mode::kKill) raise(SIGKILL);
  errno = ENOSPC;
  return Verdict::kFail;
}

// After half of a write's bytes the disk is full, which the next write to the file learns.
std::atomic<int> full = -1;  // that file

Verdict judge_write(const char* call, int fd) {
  int expected = fd;
  if (!full.compare_exchange_strong(expected, -1)) return judge(call, path_of(fd), true);
  errno = ENOSPC;
  return Verdict::kFail;
}

bool fails(const char* call, const std::string& path) {
  return judge(call, path) != Verdict::kGoOn;
}

bool changes(int flags) {
  return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
}

ssize_t end_half(int fd, ssize_t written) {
  if (plan().mode == Mode::kKill) raise(SIGKILL);
  if (written > 0) {
    full = fd;
    return written;
  }
  errno = ENOSPC;
  return -1;
}

using CookieStream = int;  // the file descriptor behind a stream of ours

ssize_t cookie_write(void* cookie, const char* bytes, size_t count) {
  const int fd = static_cast<CookieStream>(reinterpret_cast<intptr_t>(cookie));
  ssize_t done = 0;
  while (done < static_cast<ssize_t>(count)) {
    const ssize_t written = write(fd, bytes + done, count - static_cast<size_t>(done));
    if (written < 0) return done;  // for stdio less than asked for is a failure
    done += written;
  }
  return done;
}

int cookie_close(void* cookie) {
  return close(static_cast<CookieStream>(reinterpret_cast<intptr_t>(cookie)));
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? static_cast<mode_t>(va_arg(arguments, int)) : 0;
}

}  // namespace

extern "C" {

// glibc has each of these twice, for programs with 64-bit offsets and without.
#define OPEN(name)                                                           \
  int name(const char* path, int flags, ...) {                               \
    va_list arguments;                                                       \
    va_start(arguments, flags);                                              \
    const mode_t mode = mode_of(flags, arguments);                           \
    va_end(arguments);                                                       \
    NEXT(name);                                                              \
    if (changes(flags) && fails("open", path_at(AT_FDCWD, path))) return -1; \
    return real(path, flags, mode);                                          \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                       \
  int name(int folder, const char* path, int flags, ...) {                 \
    va_list arguments;                                                     \
    va_start(arguments, flags);                                            \
    const mode_t mode = mode_of(flags, arguments);                         \
    va_end(arguments);                                                     \
    NEXT(name);                                                            \
    if (changes(flags) && fails("open", path_at(folder, path))) return -1; \
    return real(folder, path, flags, mode);                                \
  }
OPENAT(openat)
OPENAT(openat64)

#define CREAT(name)                                                        \
  int name(const char* path, mode_t mode) {                                \
    NEXT(name);                                                            \
    return fails("open", path_at(AT_FDCWD, path)) ? -1 : real(path, mode); \
  }
CREAT(creat)
CREAT(creat64)

// std::ofstream opens with one of these and then calls write and writev itself.
#define FOPEN(name)                                                                           \
  FILE* name(const char* path, const char* mode) {                                            \
    NEXT(name);                                                                               \
    const bool reads = std::string_view(mode).find_first_of("wa+") == std::string_view::npos; \
    return !reads && fails("open", path_at(AT_FDCWD, path)) ? nullptr : real(path, mode);     \
  }
FOPEN(fopen)
FOPEN(fopen64)

// stdio writes from inside of glibc, so a stream of a file under the folder becomes one that calls our write.
FILE* fdopen(int fd, const char* mode) {
  NEXT(fdopen);
  if (!plan().concerns(path_of(fd)) || mode[0] == 'r') return real(fd, mode);
  return fopencookie(reinterpret_cast<void*>(static_cast<intptr_t>(fd)), mode,
                     {.read = nullptr, .write = cookie_write, .seek = nullptr, .close = cookie_close});
}

ssize_t write(int fd, const void* bytes, size_t count) {
  const Verdict verdict = judge_write("write", fd);
  if (verdict == Verdict::kFail) return -1;
  return verdict == Verdict::kGoOn ? real_write(fd, bytes, count) : end_half(fd, real_write(fd, bytes, count / 2));
}

ssize_t writev(int fd, const iovec* parts, int count) {
  NEXT(writev);
  const Verdict verdict = judge_write("writev", fd);
  if (verdict == Verdict::kFail) return -1;
  return verdict == Verdict::kGoOn ? real(fd, parts, count) : end_half(fd, real(fd, parts, count / 2));
}

#define PWRITE(name, Offset)                                                             \
  ssize_t name(int fd, const void* bytes, size_t count, Offset offset) {                 \
    NEXT(name);                                                                          \
    const Verdict verdict = judge_write("pwrite", fd);                                   \
    if (verdict == Verdict::kFail) return -1;                                            \
    return verdict == Verdict::kGoOn ? real(fd, bytes, count, offset)                    \
                                     : end_half(fd, real(fd, bytes, count / 2, offset)); \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define ON_DESCRIPTOR(name, parameters, ...)                   \
  int name parameters {                                        \
    NEXT(name);                                                \
    return fails(#name, path_of(fd)) ? -1 : real(__VA_ARGS__); \
  }
ON_DESCRIPTOR(fsync, (int fd), fd)
ON_DESCRIPTOR(fdatasync, (int fd), fd)
ON_DESCRIPTOR(ftruncate, (int fd, off_t size), fd, size)
ON_DESCRIPTOR(ftruncate64, (int fd, off64_t size), fd, size)

// `where` is the path that changes.
#define ON_PATH(name, parameters, where, ...)            \
  int name parameters noexcept {                         \
    NEXT(name);                                          \
    return fails(#name, where) ? -1 : real(__VA_ARGS__); \
  }
ON_PATH(rename, (const char* from, const char* to), path_at(AT_FDCWD, to), from, to)
ON_PATH(renameat, (int from_in, const char* from, int in, const char* to), path_at(in, to), from_in, from, in, to)
ON_PATH(renameat2, (int from_in, const char* from, int in, const char* to, unsigned flags), path_at(in, to), from_in,
        from, in, to, flags)
ON_PATH(link, (const char* from, const char* to), path_at(AT_FDCWD, to), from, to)
ON_PATH(linkat, (int from_in, const char* from, int in, const char* to, int flags), path_at(in, to), from_in, from, in,
        to, flags)
ON_PATH(symlink, (const char* target, const char* link), path_at(AT_FDCWD, link), target, link)
ON_PATH(symlinkat, (const char* target, int in, const char* link), path_at(in, link), target, in, link)
ON_PATH(unlink, (const char* path), path_at(AT_FDCWD, path), path)
ON_PATH(unlinkat, (int in, const char* path, int flags), path_at(in, path), in, path, flags)
ON_PATH(remove, (const char* path), path_at(AT_FDCWD, path), path)
ON_PATH(rmdir, (const char* path), path_at(AT_FDCWD, path), path)
ON_PATH(mkdir, (const char* path, mode_t mode), path_at(AT_FDCWD, path), path, mode)
ON_PATH(mkdirat, (int in, const char* path, mode_t mode), path_at(in, path), in, path, mode)
ON_PATH(truncate, (const char* path, off_t size), path_at(AT_FDCWD, path), path, size)

}  // extern "C"
