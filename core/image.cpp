#include "core/image.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include <array>

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

using namespace std::string_view_literals;

constexpr std::array kExtensions = {".jpg"sv, ".jpeg"sv, ".png"sv, ".webp"sv, ".bmp"sv, ".gif"sv,
                                    ".tif"sv, ".tiff"sv, ".ppm"sv, ".pgm"sv,  ".pnm"sv};

Tensor decode_with_stb(std::string_view bytes, const std::string& name) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  int width = 0, height = 0, channels = 0;
  stbi_uc* pixels = stbi_load_from_memory(data, static_cast<int>(bytes.size()), &width, &height, &channels, 3);
  if (!pixels) fail("{}: damaged or unsupported image: {}", name, stbi_failure_reason());
  return at::from_blob(
      pixels, {height, width, 3}, [](void* p) { stbi_image_free(p); }, at::kByte);
}

Tensor decode_with_opencv(std::string_view bytes, const std::string& name) {
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
  if (bytes.starts_with("\xff\xd8\xff")) return decode_jpeg(bytes, name);
  if (is_png(bytes)) {
    for_each_png_chunk(bytes, name, [](std::string_view, std::string_view) {});  // stb_image checks no checksums
    return decode_with_stb(bytes, name);
  }
  if (bytes.starts_with("GIF8") || bytes.starts_with("BM")) return decode_with_stb(bytes, name);
  return decode_with_opencv(bytes, name);
}

Tensor read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path, "image"), path.string());
}

bool has_image_extension(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

Tensor to_uint8(const Tensor& x) {
  return x.to(at::kFloat).add(1).mul(0.5).clamp(0, 1).mul(255).add(0.5).floor().to(at::kByte);
}

Tensor to_float(const Tensor& u8) {
  return u8.to(at::kFloat).div(127.5).sub(1);
}

}  // namespace uvic
