// BMP by stb_image, which would fill what is missing with black, so that the header is looked at before.
#include <cstdlib>

#include "core/error.h"
#include "core/image/decoders.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_BMP
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace uvic {
namespace {

uint64_t number(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return value;
}

struct Header {
  int64_t width, height, bits;
  uint64_t data_at;
};

// The offsets are those of BITMAPFILEHEADER and of BITMAPINFOHEADER or the older BITMAPCOREHEADER.
Header read_header(std::string_view bytes, const std::string& name) {
  if (bytes.size() < 34) fail("{}: the image is truncated", name);
  const uint64_t data_at = number(bytes, 10, 4);
  if (number(bytes, 14, 4) == 12)
    return {static_cast<int64_t>(number(bytes, 18, 2)), static_cast<int64_t>(number(bytes, 20, 2)),
            static_cast<int64_t>(number(bytes, 24, 2)), data_at};
  if (const uint64_t packing = number(bytes, 30, 4); packing == 1 || packing == 2)
    fail("{}: a BMP packed with run lengths, which is not read; save it unpacked or as PNG", name);
  const auto height = static_cast<int32_t>(number(bytes, 22, 4));  // negative: the first row is the top one
  return {static_cast<int32_t>(number(bytes, 18, 4)), std::abs(static_cast<int64_t>(height)),
          static_cast<int64_t>(number(bytes, 28, 2)), data_at};
}

}  // namespace

Tensor decode_bmp(std::string_view bytes, const std::string& name, Alpha) {
  const Header header = read_header(bytes, name);
  reserve_picture(header.width, header.height, /*work=*/0, name);
  const uint64_t row = (static_cast<uint64_t>(header.width) * header.bits + 31) / 32 * 4;
  if (header.data_at + row * header.height > bytes.size()) fail("{}: the image is truncated", name);
  int width = 0, height = 0, channels = 0;
  stbi_uc* pixels = stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()),
                                          static_cast<int>(bytes.size()), &width, &height, &channels, 3);
  if (!pixels) fail("{}: damaged or unsupported BMP: {}", name, stbi_failure_reason());
  return at::from_blob(
      pixels, {height, width, 3}, [](void* p) { stbi_image_free(p); }, at::kByte);
}

}  // namespace uvic
