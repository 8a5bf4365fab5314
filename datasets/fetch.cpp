#include "datasets/fetch.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr RemoteFile kCifar10[] = {
    {"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", 170052171,
     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
};

constexpr RemoteFile kMscoco[] = {
    {"http://images.cocodataset.org/annotations/annotations_trainval2014.zip", 252872794,
     "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009"},
    {"http://images.cocodataset.org/zips/val2014.zip", 6645013297,
     "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0"},
    {"http://images.cocodataset.org/zips/train2014.zip", 13510573713,
     "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775"},
};

constexpr Entry<RemoteFiles> kFetchable[] = {
    {"cifar10", kCifar10, "CIFAR-10, binary version (170 MB)"},
    {"mscoco", kMscoco, "MS-COCO 2014: training and validation images with captions (20 GB)"},
};

constexpr long kConnectSeconds = 30;
constexpr long kMostRedirects = 10;
constexpr int64_t kLongestErrorPage = 1 << 20;
constexpr long kStallSeconds = 60;  // so long without a byte counts as a dropped connection

// The file being written; locked, so that two processes do not write the same part.
class PartFile {
 public:
  explicit PartFile(fs::path path)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) {
    if (descriptor_ < 0) fail("cannot write '{}': {}", path_.string(), std::strerror(errno));
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor_);
      fail("'{}' is being downloaded by another process", path_.string());
    }
    size_ = ::lseek(descriptor_, 0, SEEK_END);
  }
  ~PartFile() { ::close(descriptor_); }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  int64_t size() const { return size_; }

  bool append(const char* data, size_t count) {  // errno says why not
    while (count > 0) {
      const ssize_t written = ::write(descriptor_, data, count);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      data += written;
      count -= written;
      size_ += written;
    }
    return true;
  }

  bool clear() {
    size_ = 0;
    return ::ftruncate(descriptor_, 0) == 0 && ::lseek(descriptor_, 0, SEEK_SET) == 0;
  }

  bool sync() { return ::fsync(descriptor_) == 0; }

 private:
  fs::path path_;
  int descriptor_;
  int64_t size_ = 0;
};

struct Transfer {
  CURL* curl;
  PartFile& part;
  Progress& progress;
  int64_t most;            // bytes of the file
  int disk_error = 0;      // errno
  int64_t error_page = 0;  // bytes
  bool begun = false, too_long = false;
};

// Called by libcurl with bytes of the body; a result other than their number ends the transfer.
size_t receive(char* data, size_t, size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  long status = 0;
  curl_easy_getinfo(transfer.curl, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 300) {
    transfer.error_page += static_cast<int64_t>(count);
    return transfer.error_page > kLongestErrorPage ? 0 : count;
  }
  // 206 is the range that was asked for; 200 is the whole file, from a server that knows no ranges.
  const bool whole = !std::exchange(transfer.begun, true) && status == 200 && transfer.part.size() > 0;
  if (whole && !transfer.part.clear()) {
    transfer.disk_error = errno;
    return 0;
  }
  if (static_cast<int64_t>(count) > transfer.most - transfer.part.size()) {
    transfer.too_long = true;
    return 0;
  }
  if (!transfer.part.append(data, count)) {
    transfer.disk_error = errno;
    return 0;
  }
  transfer.progress.update(transfer.part.size() / 1000);
  return count;
}

struct Outcome {
  CURLcode code;
  long status;
  std::string message;
  bool too_long;
  int64_t stated;  // bytes of the whole file, -1 if the server does not say
};

// One request for what is missing of the part, which never grows beyond `most` bytes.
Outcome request_rest(const std::string& url, int64_t most, PartFile& part, const fs::path& path, Progress& progress) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  TORCH_CHECK(ready == CURLE_OK, "libcurl: ", curl_easy_strerror(ready));
  const std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
  CURL* curl = handle.get();
  TORCH_CHECK(curl != nullptr, "libcurl does not start");
  Transfer transfer{.curl = curl, .part = part, .progress = progress, .most = most};
  char message[CURL_ERROR_SIZE] = "";
  const int64_t begin = part.size();
  const std::string range = std::to_string(begin) + '-';
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMostRedirects);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, url.starts_with("https:") ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "uvic/" UVIC_VERSION);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  if (part.size() > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
  Outcome outcome{curl_easy_perform(curl), 0, "", transfer.too_long, -1};
  if (transfer.disk_error != 0) fail("cannot write '{}': {}", path.string(), std::strerror(transfer.disk_error));
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &outcome.status);
  curl_off_t length = -1;
  curl_easy_getinfo(curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length >= 0) outcome.stated = length + (outcome.status == 206 ? begin : 0);
  outcome.message = message[0] != 0 ? message : curl_easy_strerror(outcome.code);
  return outcome;
}

bool is_dropped_connection(CURLcode code) {
  return code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR || code == CURLE_OPERATION_TIMEDOUT ||
         code == CURLE_GOT_NOTHING;
}

void download(const std::string& url, const RemoteFile& file, const fs::path& path) {
  PartFile part(path);
  if (part.size() > file.size) part.clear();
  if (part.size() > 0 && part.size() < file.size)
    log_line(fmt::format("{}: going on after {} of {} MB", url, part.size() / 1000000, file.size / 1000000));
  Progress progress("downloading " + url, file.size / 1000, "kB", part.size() / 1000);
  while (part.size() < file.size) {
    const int64_t before = part.size();
    const Outcome outcome = request_rest(url, file.size, part, path, progress);
    if (outcome.status == 416 && before > 0 && part.clear()) continue;  // the server's file ends before our part does
    if (outcome.too_long) {
      fs::remove(path);
      fail("{} came with {}: removed; the server has another file of that name", url,
           outcome.stated > file.size ? fmt::format("{} bytes instead of {}", outcome.stated, file.size)
                                      : fmt::format("more than {} bytes", file.size));
    }
    if ((outcome.code == CURLE_OK || outcome.code == CURLE_WRITE_ERROR) && outcome.status >= 300)
      fail("{}: the server answers {}", url, outcome.status);
    if (outcome.code == CURLE_OK) break;
    if (is_dropped_connection(outcome.code) && part.size() > before) continue;
    fail("cannot download {}: {}{}", url, outcome.message,
         part.size() == 0
             ? ""
             : fmt::format(" (the same command goes on after the {} bytes in '{}')", part.size(), path.string()));
  }
  if (!part.sync()) fail("cannot write '{}': {}", path.string(), std::strerror(errno));
}

// What is wrong with the file, "" if nothing.
std::string problem_with(const fs::path& path, const RemoteFile& file) {
  const auto size = static_cast<int64_t>(fs::file_size(path));
  if (size != file.size) return fmt::format("{} bytes instead of {}", size, file.size);
  const std::string sum = sha256_of_file(path);
  return sum == file.sha256 ? "" : fmt::format("SHA-256 {} instead of {}", sum, file.sha256);
}

}  // namespace

std::span<const Entry<RemoteFiles>> fetchable() {
  return kFetchable;
}

fs::path fetch_file(const RemoteFile& file, const fs::path& folder, const std::string& base_url) {
  const std::string name(file.url.substr(file.url.rfind('/') + 1));
  std::string base = base_url.empty() ? std::string(file.url.substr(0, file.url.rfind('/'))) : base_url;
  while (base.ends_with('/')) base.pop_back();
  const std::string url = base + '/' + name;
  const fs::path path = folder / name, part = folder / (name + ".part");
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    fail("cannot download {}: expected an address that begins with http:// or https://", url);

  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail("cannot make the folder '{}': {}", folder.string(), error.message());
  if (fs::exists(path)) {
    const std::string problem = problem_with(path, file);
    if (problem.empty()) {
      log_line(fmt::format("{} is there and correct", path.string()));
      return path;
    }
    warn(fmt::format("{} is wrong ({}): downloading it anew", path.string(), problem));
  }
  download(url, file, part);
  if (const std::string problem = problem_with(part, file); !problem.empty()) {
    fs::remove(part, error);
    if (error) fail("{} came with {}, and '{}' cannot be removed: {}", url, problem, part.string(), error.message());
    fail("{} came with {}: removed; try again, and if it stays so the server's file has changed", url, problem);
  }
  fs::rename(part, path, error);
  if (error) fail("cannot rename '{}' to '{}': {}", part.string(), path.string(), error.message());
  log_line(fmt::format("{} is complete and correct", path.string()));
  return path;
}

std::vector<fs::path> fetch(const std::string& name, const fs::path& folder, const std::string& base_url) {
  std::vector<fs::path> paths;
  for (const RemoteFile& file : find(fetchable(), name, "data set to fetch").value)
    paths.push_back(fetch_file(file, folder, base_url));
  return paths;
}

}  // namespace uvic
