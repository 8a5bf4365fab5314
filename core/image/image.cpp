#include "core/image/image.h"

#include "core/error.h"
#include "core/files.h"
#include "core/image/decoders.h"

namespace uvic {
namespace {

using Decode = Tensor (*)(std::string_view bytes, const std::string& name, Alpha alpha);

// By image_format. No bytes of another format reach a library: some of them have decoders that open other files.
struct PictureFormat {
  std::string_view format;
  Decode decode;
};
constexpr PictureFormat kDecoders[] = {{"jpg", decode_jpeg}, {"png", decode_png},   {"gif", decode_gif},
                                       {"bmp", decode_bmp},  {"webp", decode_webp}, {"tif", decode_tiff},
                                       {"pnm", decode_pnm}};

}  // namespace

Tensor decode_image(std::string_view bytes, const std::string& name, Alpha alpha) {
  if (bytes.empty()) fail("{}: the file is empty", name);
  if (bytes.size() > INT32_MAX) fail("{}: {} bytes are too many for an image", name, bytes.size());
  const std::string_view format = image_format(bytes);
  for (const PictureFormat& decoder : kDecoders) {
    if (decoder.format != format) continue;
    const PictureMemory memory;
    return decoder.decode(bytes, name, alpha);
  }
  fail("{}: damaged, or no image format that uvic reads (JPEG, PNG, WebP, BMP, GIF, TIFF, PNM)", name);
}

Tensor read_image(const std::filesystem::path& path, Alpha alpha) {
  return decode_image(read_file(path, "image"), path.string(), alpha);
}

Tensor to_uint8(const Tensor& x) {
  return x.to(at::kFloat).add(1).mul(0.5).clamp(0, 1).mul(255).add(0.5).floor().to(at::kByte);
}

Tensor to_float(const Tensor& u8) {
  return u8.to(at::kFloat).div(127.5).sub(1);
}

}  // namespace uvic
