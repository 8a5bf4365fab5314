// PNG to RGB with libpng, a row at a time.
#include <png.h>

#include <cstring>

#include "core/error.h"
#include "core/image/decoders.h"
#include "core/image/png.h"

namespace uvic {
namespace {

// libpng jumps out of its functions on an error, so no frame that it jumps over holds an object with a destructor.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, give_up, [](png_structp, png_const_charp) {});
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) throw std::bad_alloc();
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  bool read_header() {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_read_fn(png_, this, copy);
    png_set_user_limits(png_, static_cast<png_uint_32>(kMostPixels), static_cast<png_uint_32>(kMostPixels));
    png_set_crc_action(png_, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);  // compared already
    // Chunks that change no pixel here are not even unpacked: gamma and profiles, as with Pillow, and texts.
    static constexpr png_byte kIgnored[] =
        "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0sTER\0tEXt\0tIME\0zTXt";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kIgnored, sizeof kIgnored / 5);
    png_read_info(png_, info_);
    return true;
  }

  int64_t width() const { return png_get_image_width(png_, info_); }
  int64_t height() const { return png_get_image_height(png_, info_); }

  bool read_rows(uint8_t* pixels, Alpha alpha) {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_expand(png_);  // palettes, greys of less than 8 bits
    png_set_strip_16(png_);
    png_set_gray_to_rgb(png_);
    if (alpha == Alpha::kOverBlack) {
      png_color_16 black{};
      png_set_background(png_, &black, PNG_BACKGROUND_GAMMA_SCREEN, 0, 1);
    }
    png_set_strip_alpha(png_);
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (static_cast<int64_t>(png_get_rowbytes(png_, info_)) != 3 * width()) png_error(png_, "not RGB");
    for (int pass = 0; pass < passes; ++pass)
      for (int64_t y = 0; y < height(); ++y) png_read_row(png_, pixels + 3 * width() * y, nullptr);
    return true;
  }

  const char* message() const { return message_; }

 private:
  static void give_up(png_structp png, png_const_charp message) {
    auto* self = static_cast<Reader*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof self->message_ - 1);
    png_longjmp(png, 1);
  }

  static void copy(png_structp png, png_bytep out, size_t size) {
    auto* self = static_cast<Reader*>(png_get_io_ptr(png));
    if (size > self->rest_.size()) png_error(png, "it ends early");
    std::memcpy(out, self->rest_.data(), size);
    self->rest_.remove_prefix(size);
  }

  std::string_view rest_;
  char message_[128] = {};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

Tensor decode_png(std::string_view bytes, const std::string& name, Alpha alpha) {
  for_each_png_chunk(bytes, name, [](std::string_view, std::string_view) {});
  Reader reader(bytes);
  if (!reader.read_header()) fail("{}: damaged PNG: {}", name, reader.message());
  const Tensor image = new_picture(reader.width(), reader.height(), /*work=*/0, name);
  if (!reader.read_rows(image.data_ptr<uint8_t>(), alpha)) fail("{}: damaged PNG: {}", name, reader.message());
  return image;
}

}  // namespace uvic
