// The first frame of a GIF (GIF89a, CompuServe 1990), which is as large as the screen that the file describes.
#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/image/decoders.h"

namespace uvic {
namespace {

constexpr int64_t kLongest = 4096;  // pixels that one code can stand for
using Palette = std::array<std::array<uint8_t, 3>, 256>;

class Bytes {
 public:
  Bytes(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {}

  std::string_view take(size_t count) {
    if (count > rest_.size()) truncated();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  int byte() { return static_cast<unsigned char>(take(1)[0]); }
  int64_t word() {
    const int low = byte();
    return low | byte() << 8;
  }
  std::string_view block() { return take(static_cast<size_t>(byte())); }  // empty: the last
  [[noreturn]] void truncated() const { fail("{}: the image is truncated", name_); }
  [[noreturn]] void damaged() const { fail("{}: the GIF is damaged", name_); }

 private:
  std::string_view rest_;
  const std::string& name_;
};

// A colour table, if the flags say that there is one. What it does not name is grey, as with Pillow.
void read_palette(Bytes& bytes, int flags, Palette& palette) {
  if ((flags & 0x80) == 0) return;
  for (int i = 0; i < 256; ++i) palette[i].fill(static_cast<uint8_t>(i));
  for (int i = 0; i < 2 << (flags & 7); ++i)
    for (uint8_t& channel : palette[i]) channel = static_cast<uint8_t>(bytes.byte());
}

struct Frame {
  int64_t left, top, width, height;
  bool interlaced;
  Palette palette;
  int transparent;  // an index, -1: none
};

std::vector<int64_t> row_order(const Frame& frame) {
  std::vector<int64_t> rows;
  if (frame.interlaced)
    for (const auto& [first, step] : {std::pair(0, 8), {4, 8}, {2, 4}, {1, 2}})
      for (int64_t y = first; y < frame.height; y += step) rows.push_back(y);
  else
    for (int64_t y = 0; y < frame.height; ++y) rows.push_back(y);
  return rows;
}

// Puts the colours of a frame where they belong, in the order of its data.
class Pen {
 public:
  Pen(const Frame& frame, const Tensor& image)
      : frame_(frame), rows_(row_order(frame)), width_(image.size(1)), pixels_(image.data_ptr<uint8_t>()) {
    go_to_row();
  }

  bool is_done() const { return row_ == rows_.size(); }

  void put(uint8_t index) {
    std::copy_n(frame_.palette[index].data(), 3, at_);
    at_ += 3;
    if (++x_ < frame_.width) return;
    x_ = 0;
    ++row_;
    go_to_row();
  }

 private:
  void go_to_row() {
    if (!is_done()) at_ = pixels_ + 3 * ((frame_.top + rows_[row_]) * width_ + frame_.left);
  }

  const Frame& frame_;
  std::vector<int64_t> rows_;
  int64_t width_, x_ = 0;
  size_t row_ = 0;
  uint8_t *pixels_, *at_ = nullptr;
};

// Appendix F: LZW with codes of growing width. A code stands for the string of another one and a byte behind it.
void unpack(Bytes& bytes, Pen& pen) {
  const int literal_bits = bytes.byte();
  if (literal_bits < 1 || literal_bits > 8) bytes.damaged();
  const int clear = 1 << literal_bits, end = clear + 1;
  std::array<int16_t, kLongest> before;
  std::array<uint8_t, kLongest> last, string;
  int next = clear + 2, width = literal_bits + 1, previous = -1;
  uint8_t first = 0;
  uint32_t bits = 0;
  int held = 0;
  std::string_view block;
  while (!pen.is_done()) {
    while (held < width) {
      if (block.empty()) block = bytes.block();
      if (block.empty()) bytes.truncated();
      bits |= static_cast<uint32_t>(static_cast<unsigned char>(block.front())) << held;
      block.remove_prefix(1);
      held += 8;
    }
    const int code = static_cast<int>(bits & ((1u << width) - 1));
    bits >>= width;
    held -= width;
    if (code == clear) {
      next = clear + 2, width = literal_bits + 1, previous = -1;
      continue;
    }
    if (code == end) bytes.truncated();
    if (code > next || (code == next && previous < 0)) bytes.damaged();

    size_t length = 0;
    int from = code;
    if (code == next) string[length++] = first, from = previous;
    for (; from > end; from = before[from]) string[length++] = last[from];
    string[length++] = first = static_cast<uint8_t>(from);
    while (length > 0 && !pen.is_done()) pen.put(string[--length]);

    if (previous >= 0 && next < kLongest) {
      before[next] = static_cast<int16_t>(previous);
      last[next] = first;
      if (++next == 1 << width && width < 12) ++width;
    }
    previous = code;
  }
  while (!bytes.block().empty()) continue;  // up to the end of the frame
}

}  // namespace

Tensor decode_gif(std::string_view content, const std::string& name, Alpha alpha) {
  Bytes bytes(content, name);
  bytes.take(6);
  int64_t width = bytes.word(), height = bytes.word();
  Frame frame{.left = 0, .top = 0, .width = 0, .height = 0, .interlaced = false, .palette = {}, .transparent = -1};
  for (int i = 0; i < 256; ++i) frame.palette[i].fill(static_cast<uint8_t>(i));
  const int flags = bytes.byte();
  bytes.take(2);
  read_palette(bytes, flags, frame.palette);

  for (int kind = bytes.byte(); kind != ','; kind = bytes.byte()) {
    if (kind != '!') bytes.damaged();
    const bool is_control = bytes.byte() == 0xF9;
    for (std::string_view block = bytes.block(); !block.empty(); block = bytes.block())
      if (is_control && block.size() >= 4)
        frame.transparent = (block[0] & 1) != 0 ? static_cast<unsigned char>(block[3]) : -1;
  }
  frame.left = bytes.word(), frame.top = bytes.word(), frame.width = bytes.word(), frame.height = bytes.word();
  const int frame_flags = bytes.byte();
  frame.interlaced = (frame_flags & 0x40) != 0;
  read_palette(bytes, frame_flags, frame.palette);
  if (frame.width == 0 || frame.height == 0) bytes.damaged();
  width = std::max(width, frame.left + frame.width);
  height = std::max(height, frame.top + frame.height);
  const Tensor image = new_picture(width, height, /*work=*/0, name);
  // A frame of fewer bytes than that cannot be whole, and nobody needs a huge screen around a tiny one.
  if (width * height > (int64_t{1} << 24) + kLongest * std::ssize(content)) bytes.truncated();

  if (alpha == Alpha::kOverBlack && frame.transparent >= 0) frame.palette[frame.transparent].fill(0);
  if (frame.width < width || frame.height < height) {
    const auto& around = frame.palette[std::max(frame.transparent, 0)];
    for (int c = 0; c < 3; ++c) image.select(2, c).fill_(around[c]);
  }
  Pen pen(frame, image);
  unpack(bytes, pen);
  return image;
}

}  // namespace uvic
