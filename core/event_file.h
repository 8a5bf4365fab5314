// TensorBoard event files (TFRecord framing, masked CRC32C, hand-encoded Event protobuf): scalars and PNG images.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace uvic {

class EventFile {
 public:
  // Creates folder/events.out.tfevents.<time>.<host>.<pid>.0
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void add_scalar(const std::string& tag, double value, int64_t step);
  void add_image(const std::string& tag, std::string_view png, int64_t height, int64_t width, int64_t step);
  void flush();

 private:
  std::FILE* file_;
};

}  // namespace uvic
