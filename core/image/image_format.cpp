// What a file is, by its name and by its first bytes.
#include <algorithm>
#include <array>

#include "core/files.h"
#include "core/image/image.h"

namespace uvic {
namespace {

using namespace std::string_view_literals;

constexpr std::array kExtensions = {".jpg"sv, ".jpeg"sv, ".jpe"sv, ".jfif"sv, ".png"sv, ".apng"sv, ".gif"sv, ".webp"sv,
                                    ".bmp"sv, ".dib"sv,  ".tif"sv, ".tiff"sv, ".ppm"sv, ".pgm"sv,  ".pbm"sv, ".pnm"sv};

constexpr std::array kForeignExtensions = {
    ".avif"sv, ".heic"sv, ".heif"sv, ".jxl"sv, ".jp2"sv, ".j2k"sv, ".jpx"sv,  ".jpf"sv, ".exr"sv, ".hdr"sv,
    ".pfm"sv,  ".pam"sv,  ".psd"sv,  ".xcf"sv, ".svg"sv, ".ico"sv, ".icns"sv, ".tga"sv, ".dds"sv, ".pcx"sv,
    ".qoi"sv,  ".ktx"sv,  ".dcm"sv,  ".raw"sv, ".dng"sv, ".cr2"sv, ".cr3"sv,  ".nef"sv, ".arw"sv, ".raf"sv,
    ".orf"sv,  ".rw2"sv,  ".jng"sv,  ".mng"sv, ".sgi"sv, ".ras"sv, ".wbmp"sv, ".xbm"sv, ".xpm"sv};

template <class Extensions>
bool is_one_of(const Extensions& extensions, const std::filesystem::path& path) {
  return std::ranges::find(extensions, lower_extension(path)) != extensions.end();
}

}  // namespace

bool has_image_extension(const std::filesystem::path& path) {
  return is_one_of(kExtensions, path);
}

bool has_foreign_image_extension(const std::filesystem::path& path) {
  return is_one_of(kForeignExtensions, path);
}

std::string_view image_format(std::string_view bytes) {
  if (bytes.starts_with("\xff\xd8\xff")) return "jpg";
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return "png";
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "gif";
  if (bytes.starts_with("BM")) return "bmp";
  if (bytes.starts_with("RIFF") && bytes.size() >= 12 && bytes.substr(8).starts_with("WEBP")) return "webp";
  if (bytes.starts_with("II*\0"sv) || bytes.starts_with("MM\0*"sv)) return "tif";
  if (bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
      " \t\r\n\v\f#"sv.find(bytes[2]) != std::string_view::npos)
    return "pnm";
  return "";
}

}  // namespace uvic
