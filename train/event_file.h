// TensorBoard event files (TFRecord framing, masked CRC32C, hand-encoded Event protobuf): scalars and PNG images.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace uvic {

class EventFile {
 public:
  // Creates folder/events.out.tfevents.<time>.<host>.<pid>.<n>, n counting from 0 until the name is free. A resumed run
  // names its `first_step`: TensorBoard then forgets what older files of the folder say about that step and later ones.
  // Times are later than those in the folder's older files, whatever the clock says.
  explicit EventFile(const std::filesystem::path& folder, std::optional<int64_t> first_step = std::nullopt);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void add_scalar(const std::string& tag, double value, int64_t step);  // stored as float32
  void add_image(const std::string& tag, std::string_view png, int64_t height, int64_t width, int64_t step);
  void flush();  // Error if the disk is full

 private:
  std::string event_head() const;
  std::string event_with_value(int64_t step, const std::string& value) const;
  void write_record(std::string_view event);

  std::filesystem::path path_;
  std::FILE* file_;
  double ahead_ = 0;  // seconds that times in this file are ahead of the clock
};

}  // namespace uvic
