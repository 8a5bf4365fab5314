// Which way up a picture is: the tag Orientation of EXIF (CIPA DC-008), which is a TIFF directory within the file.
#include <optional>

#include "core/error.h"
#include "core/image/image.h"
#include "core/image/png.h"

namespace uvic {
namespace {

using namespace std::string_view_literals;

uint64_t number(std::string_view bytes, size_t at, size_t count, bool big_endian) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + (big_endian ? i : count - 1 - i)]);
  return value;
}

std::string_view without_mark(std::string_view exif) {
  return exif.starts_with("Exif\0\0"sv) ? exif.substr(6) : exif;
}

// Segments up to the first scan.
std::string_view exif_of_jpeg(std::string_view bytes) {
  for (size_t at = 2; at + 4 <= bytes.size() && bytes[at] == '\xff';) {
    const auto kind = static_cast<unsigned char>(bytes[at + 1]);
    if (kind == 0xff) {  // a filler
      ++at;
      continue;
    }
    const size_t length = number(bytes, at + 2, 2, true);
    if (kind == 0xda || kind == 0xd9 || length < 2) break;
    const std::string_view segment = bytes.substr(at + 4, length - 2);
    if (kind == 0xe1 && segment.starts_with("Exif\0\0"sv)) return segment;
    at += 2 + length;
  }
  return {};
}

std::string_view exif_of_webp(std::string_view bytes) {
  for (size_t at = 12; at + 8 <= bytes.size();) {
    const size_t length = number(bytes, at + 4, 4, false);
    if (bytes.substr(at).starts_with("EXIF")) return bytes.substr(at + 8, length);
    at += 8 + length + length % 2;
  }
  return {};
}

std::string_view exif_of_png(std::string_view bytes, const std::string& name) {
  std::string_view exif;
  for_each_png_chunk(bytes, name, [&](std::string_view type, std::string_view data) {
    if (type == "eXIf") exif = data;
  });
  return exif;
}

// 1 to 8; 1, upright, if it says nothing that makes sense.
int orientation_in(std::string_view exif) {
  constexpr uint64_t kOrientation = 0x112;
  if (!exif.starts_with("II*\0"sv) && !exif.starts_with("MM\0*"sv)) return 1;
  const bool big_endian = exif[0] == 'M';
  if (exif.size() < 8) return 1;
  const uint64_t directory = number(exif, 4, 4, big_endian);
  if (directory + 2 > exif.size()) return 1;
  const uint64_t entries = number(exif, directory, 2, big_endian);
  for (uint64_t i = 0, at = directory + 2; i < entries && at + 12 <= exif.size(); ++i, at += 12)
    if (number(exif, at, 2, big_endian) == kOrientation) {
      const uint64_t value = number(exif, at + 8, 2, big_endian);
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  return 1;
}

int orientation_of(std::string_view bytes, const std::string& name) {
  const std::string_view format = image_format(bytes);
  if (format == "jpg") return orientation_in(without_mark(exif_of_jpeg(bytes)));
  if (format == "webp") return orientation_in(without_mark(exif_of_webp(bytes)));
  if (format == "png") return orientation_in(without_mark(exif_of_png(bytes, name)));
  if (format == "tif") return orientation_in(bytes);
  return 1;
}

}  // namespace

Tensor decode_upright_image(std::string_view bytes, const std::string& name, Alpha alpha) {
  Tensor image = decode_image(bytes, name, alpha);
  const int orientation = orientation_of(bytes, name);
  if (orientation >= 5) image = image.transpose(0, 1);
  // Where the stored first row and first column are: from the right for 2, 3, 6, 7, from the bottom for 3, 4, 7, 8.
  if (orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7) image = image.flip(1);
  if (orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8) image = image.flip(0);
  return image.contiguous();
}

}  // namespace uvic
