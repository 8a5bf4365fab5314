#include "core/jpeg.h"

// jpeglib.h needs the standard types before it.
#include <cstdio>

#include <jpeglib.h>
// The message codes.
#include <jerror.h>

#include <csetjmp>

#include "core/error.h"

namespace uvic {
namespace {

struct ErrorState {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer to it is a pointer to this
  std::jmp_buf escape;
  char message[JMSG_LENGTH_MAX];
};

void give_up(j_common_ptr info) {
  auto* state = reinterpret_cast<ErrorState*>(info->err);
  state->manager.format_message(info, state->message);
  std::longjmp(state->escape, 1);
}

// libjpeg calls damaged data and a missing end "warnings" and fills the rest with grey; nobody wants to train on that.
// Oddities that cost no pixel, which many real files have, pass.
void refuse_damage(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  const bool harmless = code == JWRN_EXTRANEOUS_DATA || code == JWRN_ADOBE_XFORM || code == JWRN_JFIF_MAJOR;
  if (level < 0 && !harmless) give_up(info);
}

// Pillow's 8-bit product: a b / 255, rounded.
uint8_t multiply_255(int a, int b) {
  const int product = a * b + 128;
  return static_cast<uint8_t>(((product >> 8) + product) >> 8);
}

void cmyk_to_rgb(const std::vector<uint8_t>& inks, uint8_t* rgb) {
  for (size_t i = 0; i < inks.size(); i += 4)
    for (size_t c = 0; c < 3; ++c) *rgb++ = inks[i + 3] - multiply_255(255 - inks[i + c], inks[i + 3]);
}

// Everything that libjpeg may jump out of; holds no object with a destructor, which longjmp would skip.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {
    info_.err = jpeg_std_error(&error_.manager);
    error_.manager.error_exit = give_up;
    error_.manager.emit_message = refuse_damage;
    jpeg_create_decompress(&info_);
  }
  ~Decoder() { jpeg_destroy_decompress(&info_); }

  bool start() {
    if (setjmp(error_.escape)) return false;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&info_, TRUE);
    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    jpeg_start_decompress(&info_);
    return true;
  }

  bool read_row(uint8_t* row) {
    if (setjmp(error_.escape)) return false;
    jpeg_read_scanlines(&info_, &row, 1);
    return true;
  }

  bool finish() {
    if (setjmp(error_.escape)) return false;
    jpeg_finish_decompress(&info_);
    return true;
  }

  int64_t height() const { return info_.output_height; }
  int64_t width() const { return info_.output_width; }
  bool has_inks() const { return info_.out_color_space == JCS_CMYK; }
  const char* message() const { return error_.message; }

 private:
  std::string_view bytes_;
  jpeg_decompress_struct info_{};
  ErrorState error_{};
};

}  // namespace

Tensor decode_jpeg(std::string_view bytes, const std::string& name) {
  Decoder decoder(bytes);
  if (!decoder.start()) fail("{}: damaged JPEG: {}", name, decoder.message());
  const int64_t height = decoder.height(), width = decoder.width();
  Tensor image = at::empty({height, width, 3}, at::kByte);
  auto* pixels = image.data_ptr<uint8_t>();
  std::vector<uint8_t> inks(decoder.has_inks() ? 4 * width : 0);
  for (int64_t y = 0; y < height; ++y, pixels += 3 * width) {
    if (!decoder.read_row(inks.empty() ? pixels : inks.data()))
      fail("{}: damaged or truncated JPEG (row {} of {}): {}", name, y, height, decoder.message());
    if (!inks.empty()) cmyk_to_rgb(inks, pixels);
  }
  if (!decoder.finish()) fail("{}: damaged or truncated JPEG: {}", name, decoder.message());
  return image;
}

}  // namespace uvic
