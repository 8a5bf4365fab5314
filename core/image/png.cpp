// The chunks of a PNG file, and the texts among them.
#include "core/image/png.h"

#include <zlib.h>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "core/text.h"

namespace uvic {
namespace {

using namespace std::string_view_literals;

constexpr auto kSignature = "\x89PNG\r\n\x1a\n"sv;
constexpr size_t kMaxText = 64 << 20;  // what the texts of a picture may unpack to in all: stops a "zip bomb"

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

uint32_t crc_of(std::string_view bytes) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

// `room` is how long it may become, which is taken off.
std::string inflated(std::string_view bytes, const std::string& name, size_t& room) {
  z_stream stream{};
  TORCH_CHECK(inflateInit(&stream) == Z_OK, "zlib does not start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK && out.size() <= room) {
    char block[1 << 14];
    stream.next_out = reinterpret_cast<Bytef*>(block);
    stream.avail_out = sizeof block;
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(block, sizeof block - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || out.size() > room) fail("{}: a compressed text chunk is damaged or too long", name);
  room -= out.size();
  return out;
}

std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

// The part of `data` before the next zero byte, which is taken off with it.
std::string_view take_field(std::string_view& data, const std::string& name) {
  const size_t end = data.find('\0');
  if (end == std::string_view::npos) fail("{}: a text chunk is damaged", name);
  const std::string_view field = data.substr(0, end);
  data.remove_prefix(end + 1);
  return field;
}

}  // namespace

bool is_png(std::string_view bytes) {
  return bytes.starts_with(kSignature);
}

void for_each_png_chunk(std::string_view bytes, const std::string& name,
                        const std::function<void(std::string_view type, std::string_view data)>& visit) {
  if (!is_png(bytes)) fail("{}: not a PNG file", name);
  bytes.remove_prefix(kSignature.size());
  for (std::string_view type; type != "IEND";) {
    if (bytes.size() < 12 || read_u32(bytes) > bytes.size() - 12) fail("{}: the PNG file is truncated", name);
    const uint32_t length = read_u32(bytes);
    type = bytes.substr(4, 4);
    if (crc_of(bytes.substr(4, 4 + length)) != read_u32(bytes.substr(8 + length)))
      fail("{}: the PNG file is damaged (checksum of its '{}' chunk)", name, type);
    visit(type, bytes.substr(8, length));
    bytes.remove_prefix(12 + length);
  }
}

PngText read_png_text(const std::filesystem::path& path) {
  return png_text(read_file(path, "PNG image"), path.string());
}

PngText png_text(std::string_view bytes, const std::string& name) {
  PngText text;
  size_t room = kMaxText;
  for_each_png_chunk(bytes, name, [&](std::string_view type, std::string_view data) {
    if (type == "tEXt") {
      const std::string keyword(take_field(data, name));
      text.emplace_back(keyword, utf8_of_latin1(data));
    } else if (type == "zTXt") {
      const std::string keyword(take_field(data, name));
      if (!data.empty()) text.emplace_back(keyword, utf8_of_latin1(inflated(data.substr(1), name, room)));
    } else if (type == "iTXt") {
      const std::string keyword(take_field(data, name));
      if (data.size() < 2) fail("{}: a text chunk is damaged", name);
      const bool compressed = data[0] != 0;
      data.remove_prefix(2);
      take_field(data, name);  // language
      take_field(data, name);  // translated keyword
      text.emplace_back(keyword, compressed ? inflated(data, name, room) : std::string(data));
    }
  });
  return text;
}

}  // namespace uvic
