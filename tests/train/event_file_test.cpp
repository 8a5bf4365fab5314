#include "train/event_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/crc32c.h"
#include "tests/temporary.h"

namespace uvic::event_file_test {
namespace {

class EventFileTest : public testing::Test {
 protected:
  fs::path only_file() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder_)) files.push_back(entry.path());
    EXPECT_EQ(files.size(), 1U);
    return files.at(0);
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
};

// CRC-32C bit by bit, unlike the code under test.
uint32_t slow_crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const unsigned char c : bytes) {
    crc ^= c;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82F63B78 : crc >> 1;
  }
  return crc ^ 0xFFFFFFFF;
}

uint32_t masked(std::string_view bytes) {
  const uint32_t crc = slow_crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

template <class T>
T number(std::string_view bytes) {
  T value;
  std::memcpy(&value, bytes.substr(0, sizeof value).data(), sizeof value);
  return value;
}

std::vector<std::string> read_records(std::string_view bytes) {
  std::vector<std::string> records;
  while (!bytes.empty()) {
    const auto length = number<uint64_t>(bytes);
    EXPECT_EQ(number<uint32_t>(bytes.substr(8)), masked(bytes.substr(0, 8)));
    records.emplace_back(bytes.substr(12, length));
    EXPECT_EQ(number<uint32_t>(bytes.substr(12 + length)), masked(records.back()));
    bytes.remove_prefix(16 + length);
  }
  return records;
}

// The fields of a protobuf message: number -> raw bytes (length-delimited, fixed) or the varint's value.
struct Field {
  uint64_t varint = 0;
  std::string bytes;
};
std::map<int, Field> parse(std::string_view message) {
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(message.at(0));
      message.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  };
  std::map<int, Field> fields;
  while (!message.empty()) {
    const uint64_t tag = varint();
    Field& field = fields[static_cast<int>(tag >> 3)];
    const uint64_t size = tag % 8 == 1 ? 8 : tag % 8 == 5 ? 4 : tag % 8 == 2 ? varint() : 0;
    if (tag % 8 == 0) field.varint = varint();
    field.bytes = message.substr(0, size);
    message.remove_prefix(size);
  }
  return fields;
}

TEST(Crc32c, KnownAnswers) {  // vectors of RFC 3720, B.4
  for (const auto& sum : {slow_crc32c, +[](std::string_view bytes) { return crc32c(bytes); }}) {
    EXPECT_EQ(sum("123456789"), 0xE3069283u);
    EXPECT_EQ(sum(std::string(32, '\0')), 0x8A9136AAu);
    EXPECT_EQ(sum(std::string(32, '\xff')), 0x62A8AB43u);
    EXPECT_EQ(sum(""), 0u);
  }
}

TEST(Crc32c, GoesOnFromAnySplit) {
  std::string bytes;
  for (int i = 0; i < 40; ++i) bytes += static_cast<char>(37 * i * i + 11);
  for (size_t split = 0; split <= bytes.size(); ++split)
    EXPECT_EQ(crc32c(std::string_view(bytes).substr(split), crc32c(std::string_view(bytes).substr(0, split))),
              slow_crc32c(bytes));
}

TEST_F(EventFileTest, ScalarsAndImagesDecode) {
  const std::string png = "\x89PNG" + std::string(300, '\0') + "end";
  const double before = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  {
    EventFile file(folder_);
    file.add_scalar("loss", 0.125, 7);
    file.add_scalar("FD(efficientnet-lite0)", -3e5, 123456789012);
    file.add_image("samples", png, 64, 300, 8);
  }
  const auto records = read_records(read_file(only_file(), "events"));
  ASSERT_EQ(records.size(), 4U);

  const auto version = parse(records[0]);
  EXPECT_EQ(version.at(3).bytes, "brain.Event:2");
  EXPECT_NEAR(number<double>(version.at(1).bytes), before, 60);

  const auto loss = parse(records[1]);
  EXPECT_EQ(loss.at(2).varint, 7U);
  const auto value = parse(parse(loss.at(5).bytes).at(1).bytes);
  EXPECT_EQ(value.at(1).bytes, "loss");
  EXPECT_EQ(number<float>(value.at(2).bytes), 0.125f);

  const auto distance = parse(records[2]);
  EXPECT_EQ(distance.at(2).varint, 123456789012U);
  EXPECT_EQ(number<float>(parse(parse(distance.at(5).bytes).at(1).bytes).at(2).bytes), -3e5f);

  const auto image_event = parse(records[3]);
  const auto image_value = parse(parse(image_event.at(5).bytes).at(1).bytes);
  EXPECT_EQ(image_value.at(1).bytes, "samples");
  const auto image = parse(image_value.at(4).bytes);
  EXPECT_EQ(image.at(1).varint, 64U);
  EXPECT_EQ(image.at(2).varint, 300U);
  EXPECT_EQ(image.at(3).varint, 3U);
  EXPECT_EQ(image.at(4).bytes, png);
}

TEST_F(EventFileTest, FlushedRecordsAreReadableWhileTheFileIsOpen) {
  EventFile file(folder_);
  file.add_scalar("loss", 1, 1);
  file.flush();
  EXPECT_EQ(read_records(read_file(only_file(), "events")).size(), 2U);
}

TEST_F(EventFileTest, ResumedRunStartsASession) {
  { EventFile file(folder_, 501); }
  const auto records = read_records(read_file(only_file(), "events"));
  ASSERT_EQ(records.size(), 2U);
  const auto start = parse(records[1]);
  EXPECT_EQ(start.at(2).varint, 501U);
  EXPECT_EQ(parse(start.at(7).bytes).at(1).varint, 1U);  // SessionLog.status = START
}

// TensorBoard reads the files of a folder by name, each from its beginning.
TEST_F(EventFileTest, IsLaterThanOlderFilesThoughTheClockWasSetBack) {
  // An hour ahead, as a run before the clock was set back left it; its last record is ten minutes younger, and a half
  // one follows.
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto record = [](double time) {
    const std::string event = "\x09" + std::string(reinterpret_cast<const char*>(&time), sizeof time);
    const uint64_t length = event.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof length) + "sums" + event + "sums";
  };
  const std::string older = fmt::format("events.out.tfevents.{:010}.zzz.9.9", static_cast<int64_t>(now) + 3600);
  const std::string good = record(now + 3600) + record(now + 4200);
  write_atomically(folder_ / older, good + good.substr(0, 20));
  { EventFile file(folder_, 11); }
  { EventFile file(folder_, 21); }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  ASSERT_EQ(names.size(), 3U);
  EXPECT_EQ(names[0], older);
  double last = now + 4200;
  for (const size_t k : {1, 2}) {
    const auto records = read_records(read_file(folder_ / names[k], "events"));
    ASSERT_EQ(records.size(), 2U);
    EXPECT_EQ(parse(records[1]).at(2).varint, k == 1 ? 11U : 21U) << "sorted as they were written";
    for (const auto& each : records) {
      const double time = number<double>(parse(each).at(1).bytes);
      EXPECT_GE(time, last);
      last = time;
    }
  }
}

TEST_F(EventFileTest, NameIsTensorBoardsAndNeverTaken) {
  EventFile first(folder_), second(folder_), third(folder_);
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    names.insert(entry.path().filename());
    EXPECT_EQ(entry.path().filename().string().find("events.out.tfevents."), 0U);
    EXPECT_NE(entry.path().filename().string().find(fmt::format(".{}.", getpid())), std::string::npos);
  }
  EXPECT_EQ(names.size(), 3U);
}

TEST_F(EventFileTest, MissingFolderIsNamed) {
  try {
    EventFile file(folder_ / "missing");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("missing/events.out.tfevents"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace uvic::event_file_test
