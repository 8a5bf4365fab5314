// jpeglib.h needs the standard types before it.
#include <cstdio>

#include <jpeglib.h>
// The message codes.
#include <jerror.h>

#include <csetjmp>

#include "core/error.h"
#include "core/image/decoders.h"

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

// Few real files have more than twenty; each is a pass over the whole picture.
constexpr int kMostScans = 200;

void limit_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMostScans) return;
  auto* state = reinterpret_cast<ErrorState*>(info->err);
  std::snprintf(state->message, sizeof state->message, "more than %d scans", kMostScans);
  std::longjmp(state->escape, 1);
}

// Adobe's programs write the inks inverted, and so does everybody since.
void inverted_inks_to_rgb(const std::vector<uint8_t>& inks, uint8_t* rgb) {
  for (size_t i = 0; i < inks.size(); i += 4, rgb += 3) {
    const uint8_t ink[4] = {static_cast<uint8_t>(255 - inks[i]), static_cast<uint8_t>(255 - inks[i + 1]),
                            static_cast<uint8_t>(255 - inks[i + 2]), static_cast<uint8_t>(255 - inks[i + 3])};
    put_inks(ink, rgb);
  }
}

// Everything that libjpeg may jump out of; holds no object with a destructor, which longjmp would skip.
class JpegDecoder {
 public:
  explicit JpegDecoder(std::string_view bytes) : bytes_(bytes) {
    info_.err = jpeg_std_error(&error_.manager);
    error_.manager.error_exit = give_up;
    error_.manager.emit_message = refuse_damage;
    jpeg_create_decompress(&info_);
    progress_.progress_monitor = limit_scans;
    info_.progress = &progress_;
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }

  bool read_header() {
    if (setjmp(error_.escape)) return false;
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&info_, TRUE);
    const bool inks = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = inks ? JCS_CMYK : JCS_RGB;
    return true;
  }

  bool start() {
    if (setjmp(error_.escape)) return false;
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

  int64_t height() const { return info_.image_height; }
  int64_t width() const { return info_.image_width; }

  // Bytes of the coefficients, which stay in memory until the last scan.
  int64_t work() {
    if (!jpeg_has_multiple_scans(&info_)) return 0;
    int64_t blocks = 0;
    for (int c = 0; c < info_.num_components; ++c)
      blocks += static_cast<int64_t>(info_.comp_info[c].width_in_blocks) * info_.comp_info[c].height_in_blocks;
    return blocks * static_cast<int64_t>(sizeof(JBLOCK));
  }

  bool has_inks() const { return info_.out_color_space == JCS_CMYK; }
  const char* message() const { return error_.message; }

 private:
  std::string_view bytes_;
  jpeg_decompress_struct info_{};
  ErrorState error_{};
  jpeg_progress_mgr progress_{};
};

}  // namespace

Tensor decode_jpeg(std::string_view bytes, const std::string& name, Alpha) {
  JpegDecoder decoder(bytes);
  if (!decoder.read_header()) fail("{}: damaged JPEG: {}", name, decoder.message());
  const int64_t height = decoder.height(), width = decoder.width();
  const Tensor image = new_picture(width, height, decoder.work(), name);
  if (!decoder.start()) fail("{}: damaged JPEG: {}", name, decoder.message());
  auto* pixels = image.data_ptr<uint8_t>();
  std::vector<uint8_t> inks(decoder.has_inks() ? 4 * width : 0);
  for (int64_t y = 0; y < height; ++y, pixels += 3 * width) {
    if (!decoder.read_row(inks.empty() ? pixels : inks.data()))
      fail("{}: damaged or truncated JPEG (row {} of {}): {}", name, y, height, decoder.message());
    if (!inks.empty()) inverted_inks_to_rgb(inks, pixels);
  }
  if (!decoder.finish()) fail("{}: damaged or truncated JPEG: {}", name, decoder.message());
  return image;
}

}  // namespace uvic
