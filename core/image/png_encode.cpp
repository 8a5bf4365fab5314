// RGB to PNG with libpng, which chooses each row's filter and compresses.
#include <png.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/files.h"
#include "core/image/image.h"

namespace uvic {
namespace {

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// libpng jumps out of its functions on an error, so no frame that it jumps over holds an object with a destructor.
class Writer {
 public:
  Writer() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, give_up, [](png_structp, png_const_charp) {});
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) throw std::bad_alloc();
  }
  ~Writer() { png_destroy_write_struct(&png_, &info_); }

  bool write(const uint8_t* pixels, int64_t height, int64_t width, const std::vector<::png_text>& text) {
    if (setjmp(png_jmpbuf(png_))) return false;
    png_set_write_fn(png_, this, append, [](png_structp) {});
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_strategy(png_, Z_DEFAULT_STRATEGY);  // smaller and faster on pictures than libpng's Z_FILTERED
    png_set_text(png_, info_, text.data(), static_cast<int>(text.size()));
    png_write_info(png_, info_);
    for (int64_t y = 0; y < height; ++y) png_write_row(png_, pixels + 3 * width * y);
    png_write_end(png_, nullptr);
    return true;
  }

  std::string take_bytes() { return std::move(bytes_); }
  const char* message() const { return message_; }

 private:
  static void give_up(png_structp png, png_const_charp message) {
    auto* self = static_cast<Writer*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof self->message_ - 1);
    png_longjmp(png, 1);
  }

  static void append(png_structp png, png_bytep bytes, size_t size) {
    static_cast<Writer*>(png_get_io_ptr(png))->bytes_.append(reinterpret_cast<const char*>(bytes), size);
  }

  std::string bytes_;
  char message_[128] = {};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

std::string encode_png(const Tensor& image, const PngText& text) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte && image.numel() > 0,
              "encode_png: expected [H, W, 3] uint8, got ", image.sizes(), " ", image.scalar_type());
  std::vector<::png_text> chunks;
  for (const auto& [keyword, value] : text) {
    TORCH_CHECK(!keyword.empty() && keyword.size() < 80 && is_ascii(keyword), "PNG keyword '", keyword, "'");
    ::png_text& chunk = chunks.emplace_back();
    // tEXt is Latin-1. ASCII is that and UTF-8 at once; anything else becomes uncompressed UTF-8.
    chunk.compression = is_ascii(value) ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE;
    chunk.key = const_cast<char*>(keyword.c_str());  // libpng copies both
    chunk.text = const_cast<char*>(value.c_str());
  }
  const Tensor pixels = image.cpu().contiguous();
  Writer writer;
  const bool written = writer.write(pixels.const_data_ptr<uint8_t>(), pixels.size(0), pixels.size(1), chunks);
  TORCH_CHECK(written, "libpng: ", writer.message());
  return writer.take_bytes();
}

void write_png(const std::filesystem::path& path, const Tensor& image, const PngText& text) {
  write_atomically(path, encode_png(image, text));
}

}  // namespace uvic
