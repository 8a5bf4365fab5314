#include "core/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>

#include "core/error.h"

namespace uvic {
namespace {

// CRC-32C (Castagnoli), polynomial 0x1EDC6F41 with its bits reversed.
constexpr auto kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? 0x82F63B78u : 0u);
    table[i] = crc;
  }
  return table;
}();

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = ~0u;
  for (const char c : bytes) crc = kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

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

std::string event_head() {
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  return field_double(kWallTime, now.count());
}

std::string event_with_value(int64_t step, const std::string& value) {
  return event_head() + field_int(kStep, step) + field_bytes(kSummary, field_bytes(kValue, value));
}

}  // namespace

EventFile::EventFile(const std::filesystem::path& folder, std::optional<int64_t> first_step) {
  char host[HOST_NAME_MAX + 1] = {};
  gethostname(host, sizeof host - 1);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  int fd = -1;
  for (int n = 0; fd < 0; ++n) {
    path_ = folder / fmt::format("events.out.tfevents.{:010}.{}.{}.{}", seconds, host, getpid(), n);
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
