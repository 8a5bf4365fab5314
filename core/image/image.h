// Images as tensors. An image is [H, W, 3] uint8 RGB unless said otherwise.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace uvic {

enum class Alpha {
  kDropped,    // as Pillow's convert("RGB")
  kOverBlack,  // what is transparent is black
};

// Decodes JPEG, PNG, WebP, GIF (of these two the first frame), BMP, TIFF and PNM to RGB as Pillow's convert("RGB"):
// greyscale is repeated, palettes looked up, CMYK converted, 16 bits reduced to the upper 8. EXIF orientation is
// ignored, as the reference pipelines do. JPEG goes through libjpeg-turbo (as Pillow's), so pixels are equal. Error
// names `name` and what is wrong: another format, a truncated file or a wrong checksum, never a half-grey picture; and
// a picture of more pixels or memory than core/image/decoders.h allows, before they are allocated.
Tensor decode_image(std::string_view bytes, const std::string& name, Alpha alpha = Alpha::kDropped);
Tensor read_image(const std::filesystem::path& path, Alpha alpha = Alpha::kDropped);
// As its EXIF orientation wants it to be seen, as Pillow's ImageOps.exif_transpose: for people's own photos.
Tensor decode_upright_image(std::string_view bytes, const std::string& name, Alpha alpha = Alpha::kDropped);

// While one lives, what this thread decodes counts against the memory that the pictures of all threads may take
// together; the others wait. For who decodes in parallel and keeps less than the whole picture. decode_image has its
// own.
class PictureMemory {
 public:
  PictureMemory();
  ~PictureMemory();
  PictureMemory(const PictureMemory&) = delete;
  PictureMemory& operator=(const PictureMemory&) = delete;
  void take(int64_t bytes);

 private:
  bool outermost_;
  int64_t bytes_ = 0;
};

bool has_image_extension(const std::filesystem::path& path);          // of a format that decode_image reads
bool has_foreign_image_extension(const std::filesystem::path& path);  // of a picture that it does not read: .avif ...

// By its first bytes, of which 16 are enough: "jpg", "png", "gif", "bmp", "webp", "tif", "pnm", or "" if it is none of
// these.
std::string_view image_format(std::string_view bytes);

enum class Filter { kBox, kBilinear, kBicubic, kLanczos };

// Pillow's Image.resize on uint8, bit for bit: antialiased, 22-bit fixed-point weights, rounding between the passes.
Tensor resize_like_pillow(const Tensor& image, int64_t height, int64_t width, Filter filter);

// The same of a float image (Pillow's mode "F"): [.., H, W] float32, weights and sums in float64, rounded to float32
// between the passes and never cut off at 0 or 255.
Tensor resize_float_like_pillow(const Tensor& images, int64_t height, int64_t width, Filter filter);

// Largest centred square, then Lanczos to size x size: U-ViT's MS-COCO preprocessing.
Tensor center_crop_resize(const Tensor& image, int64_t size);

// ImageNet preprocessing of ADM/DiT/U-ViT: halve with BOX while min >= 2 size, BICUBIC, centre crop.
Tensor center_crop_adm(const Tensor& image, int64_t size);

// [.., C, H, W] float in [-1, 1] <-> uint8. To uint8: floor(255 clamp((v + 1) / 2, 0, 1) + 0.5), as
// torchvision.save_image.
Tensor to_uint8(const Tensor& x);
Tensor to_float(const Tensor& u8);  // u8 / 127.5 - 1

// PNG with text chunks (tEXt, or iTXt when not Latin-1), e.g. {{"parameters", ...}}.
using PngText = std::vector<std::pair<std::string, std::string>>;
std::string encode_png(const Tensor& image, const PngText& text = {});
void write_png(const std::filesystem::path& path, const Tensor& image, const PngText& text = {});  // atomically
PngText png_text(std::string_view bytes, const std::string& name);  // Error if it is no PNG
PngText read_png_text(const std::filesystem::path& path);

// A grid of equally sized images, rows x cols, `pad` pixels between them, each with its caption (may be empty) below,
// wrapped to the width; small images are enlarged by a whole factor so that captions can be read.
struct GridOptions {
  int64_t columns = 0;  // 0: as square as possible
  int64_t pad = 2;
  int64_t min_tile = 0;  // enlarge (nearest neighbour, whole factor) until tiles are at least this wide
};
Tensor make_grid(const std::vector<Tensor>& images, const std::vector<std::string>& captions,
                 const GridOptions& options);

}  // namespace uvic
