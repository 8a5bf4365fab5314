#include "train/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/crc32c.h"

namespace uvic {
namespace {

// TFRecord rotates the sum and adds a constant, so that a record that holds records keeps a meaningful sum.
uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xA282EAD8u;
}

template <class T>
std::string little_endian(T value) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

// Protocol buffers: a field is a varint tag (number << 3 | kind) and its value.
std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes += static_cast<char>(value);
}
std::string field_int(int number, int64_t value) {
  return varint(number << 3) + varint(static_cast<uint64_t>(value));
}
std::string field_double(int number, double value) {
  return varint(number << 3 | 1) + little_endian(value);
}
std::string field_float(int number, float value) {
  return varint(number << 3 | 5) + little_endian(value);
}
std::string field_bytes(int number, std::string_view value) {
  return (varint(number << 3 | 2) + varint(value.size())).append(value);
}

// Field numbers of tensorflow.Event, SessionLog, Summary.Value and Summary.Image.
enum { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
enum { kStatus = 1, kStart = 1 };
enum { kValue = 1 };
enum { kTag = 1, kSimpleValue = 2, kImage = 4 };
enum { kHeight = 1, kWidth = 2, kColorspace = 3, kEncoded = 4, kRgb = 3 };

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

constexpr std::string_view kEventFile = "events.out.tfevents.";
constexpr double kLastTime = 9'999'999'999;  // that a name of ten digits can hold

// The latest wall time of the records of an event file, as far as they are whole.
double last_time_in(std::string_view bytes) {
  constexpr size_t kBefore = 12, kBehind = 4;  // length and its sum, sum of the event
  double last = 0;
  while (bytes.size() >= kBefore + kBehind) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > bytes.size() - kBefore - kBehind) break;
    const std::string_view event = bytes.substr(kBefore, length);
    double time = 0;
    if (event.size() > sizeof time && event.starts_with(varint(kWallTime << 3 | 1))) {
      std::memcpy(&time, event.data() + 1, sizeof time);
      if (time < kLastTime) last = std::max(last, time);
    }
    bytes.remove_prefix(kBefore + length + kBehind);
  }
  return last;
}

// The latest time that the event files of the folder speak of, in names or records; 0: there are none.
double last_time_in_folder(const fs::path& folder) {
  double last = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kEventFile) || !fs::is_regular_file(entry.symlink_status(error))) continue;
    int64_t seconds = 0;
    std::from_chars(name.data() + kEventFile.size(), name.data() + name.size(), seconds);
    if (static_cast<double>(seconds) < kLastTime) last = std::max(last, static_cast<double>(seconds));
    last = std::max(last, last_time_in(map_file(entry.path(), "event file").bytes()));
  }
  return last;
}

}  // namespace

EventFile::EventFile(const std::filesystem::path& folder, std::optional<int64_t> first_step) {
  char host[HOST_NAME_MAX + 1] = {};
  gethostname(host, sizeof host - 1);
  // TensorBoard reads the files of a folder in the order of their names, and the clock may have been set back.
  const double last = last_time_in_folder(folder), begin = std::max(now(), std::floor(last) + (last > 0 ? 1 : 0));
  ahead_ = std::max(0.0, begin - now());
  const auto seconds = static_cast<int64_t>(begin);
  int fd = -1;
  for (int n = 0; fd < 0; ++n) {
    path_ = folder / fmt::format("{}{:010}.{}.{}.{}", kEventFile, seconds, host, getpid(), n);
    fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 && errno != EEXIST) fail("cannot create {}: {}", path_.string(), std::strerror(errno));
  }
  file_ = fdopen(fd, "wb");
  write_record(event_head() + field_bytes(kFileVersion, "brain.Event:2"));
  if (first_step) {
    write_record(event_head() + field_int(kStep, *first_step) + field_bytes(kSessionLog, field_int(kStatus, kStart)));
  }
  flush();
}

std::string EventFile::event_head() const {
  return field_double(kWallTime, now() + ahead_);
}

std::string EventFile::event_with_value(int64_t step, const std::string& value) const {
  return event_head() + field_int(kStep, step) + field_bytes(kSummary, field_bytes(kValue, value));
}

EventFile::~EventFile() {
  std::fclose(file_);
}

void EventFile::add_scalar(const std::string& tag, double value, int64_t step) {
  write_record(event_with_value(step, field_bytes(kTag, tag) + field_float(kSimpleValue, static_cast<float>(value))));
}

void EventFile::add_image(const std::string& tag, std::string_view png, int64_t height, int64_t width, int64_t step) {
  const std::string image =
      field_int(kHeight, height) + field_int(kWidth, width) + field_int(kColorspace, kRgb) + field_bytes(kEncoded, png);
  write_record(event_with_value(step, field_bytes(kTag, tag) + field_bytes(kImage, image)));
}

void EventFile::flush() {
  if (std::fflush(file_) != 0 || std::ferror(file_)) {
    fail("cannot write to {}: {}", path_.string(), std::strerror(errno));
  }
}

void EventFile::write_record(std::string_view event) {
  const std::string length = little_endian<uint64_t>(event.size());
  std::string record = length + little_endian(masked_crc(length));
  record.append(event) += little_endian(masked_crc(event));
  std::fwrite(record.data(), 1, record.size(), file_);  // flush() reports what went wrong
}

}  // namespace uvic
