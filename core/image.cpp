#include "core/image.h"

#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/jpeg.h"
#include "core/png.h"

// stb_image for the formats that need no library; the others go elsewhere.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace uvic {
namespace {

uint64_t little_endian(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return value;
}

// Whether an uncompressed BMP has all its rows. The offsets are those of BITMAPFILEHEADER and BITMAPINFOHEADER.
bool is_whole_bmp(std::string_view bytes) {
  if (bytes.size() < 34) return false;
  if (little_endian(bytes, 14, 4) == 12) return true;  // the older header; too rare to look further
  const auto width = static_cast<int32_t>(little_endian(bytes, 18, 4));
  const auto height = static_cast<int32_t>(little_endian(bytes, 22, 4));  // negative: the first row is the top one
  const uint64_t bits = static_cast<uint64_t>(std::max(width, 0)) * little_endian(bytes, 28, 2);
  return little_endian(bytes, 10, 4) + (bits + 31) / 32 * 4 * std::abs(static_cast<int64_t>(height)) <= bytes.size();
}

// Whether the first frame of a GIF is there up to its last block.
bool is_whole_gif(std::string_view bytes) {
  constexpr size_t kHeader = 13;
  const auto palette = [](uint64_t flags) { return (flags & 0x80) != 0 ? size_t{3} << ((flags & 7) + 1) : 0; };
  if (bytes.size() < kHeader) return false;
  size_t at = kHeader + palette(little_endian(bytes, 10, 1));
  for (bool is_frame = false; !is_frame;) {
    if (at + 10 >= bytes.size()) return false;
    const char block = bytes[at];
    is_frame = block == ',';
    if (!is_frame && block != '!') return false;
    at += is_frame ? 11 + palette(little_endian(bytes, at + 9, 1)) : 2;
    for (size_t length = 1; length > 0; at += length) {  // sub-blocks, ended by an empty one
      if (at >= bytes.size()) return false;
      length = little_endian(bytes, at++, 1);
    }
  }
  return true;
}

Tensor decode_with_stb(std::string_view bytes, const std::string& name) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  int width = 0, height = 0, channels = 0;
  stbi_uc* pixels = stbi_load_from_memory(data, static_cast<int>(bytes.size()), &width, &height, &channels, 3);
  if (!pixels) fail("{}: damaged or unsupported image: {}", name, stbi_failure_reason());
  return at::from_blob(
      pixels, {height, width, 3}, [](void* p) { stbi_image_free(p); }, at::kByte);
}

Tensor decode_with_opencv(std::string_view bytes, const std::string& name) {
  static const auto quiet = cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
  static_cast<void>(quiet);
  const cv::Mat data(1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data()));
  cv::Mat bgr;
  try {
    bgr = cv::imdecode(data, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& e) {
    fail("{}: damaged or unsupported image: {}", name, e.err);
  }
  if (bgr.empty()) fail("{}: damaged, or no image format that uvic reads (JPEG, PNG, WebP, BMP, GIF, TIFF, PNM)", name);
  Tensor image = at::empty({bgr.rows, bgr.cols, 3}, at::kByte);
  cv::Mat rgb(bgr.rows, bgr.cols, CV_8UC3, image.data_ptr());
  cv::cvtColor(bgr, rgb, cv::COLOR_BGR2RGB);
  return image;
}

}  // namespace

Tensor decode_image(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) fail("{}: the file is empty", name);
  if (bytes.size() > INT32_MAX) fail("{}: {} bytes are too many for an image", name, bytes.size());
  const std::string_view format = image_format(bytes);
  if (format == "jpg") return decode_jpeg(bytes, name);
  // stb_image compares no checksums and fills what is missing with black, so that is looked at before.
  if (format == "png") {
    for_each_png_chunk(bytes, name, [](std::string_view, std::string_view) {});
    return decode_with_stb(bytes, name);
  }
  if (format == "gif" || format == "bmp") {
    if (!(format == "gif" ? is_whole_gif(bytes) : is_whole_bmp(bytes))) fail("{}: the image is truncated", name);
    return decode_with_stb(bytes, name);
  }
  return decode_with_opencv(bytes, name);
}

Tensor read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path, "image"), path.string());
}

Tensor to_uint8(const Tensor& x) {
  return x.to(at::kFloat).add(1).mul(0.5).clamp(0, 1).mul(255).add(0.5).floor().to(at::kByte);
}

Tensor to_float(const Tensor& u8) {
  return u8.to(at::kFloat).div(127.5).sub(1);
}

}  // namespace uvic
