// PNG files: writing with text chunks, and reading the text back. Section numbers are those of the PNG specification
// (W3C, third edition).
#include "core/image/png.h"

#include <zlib.h>

#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"

namespace uvic {
namespace {

using namespace std::string_view_literals;

constexpr auto kSignature = "\x89PNG\r\n\x1a\n"sv;
constexpr size_t kMaxText = 64 << 20;  // a text chunk may unpack to so many bytes: stops a "zip bomb"

void append_u32(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

uint32_t read_u32(std::string_view bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

uint32_t crc_of(std::string_view bytes) {
  return static_cast<uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

void append_chunk(std::string& out, std::string_view type, std::string_view data) {
  append_u32(out, static_cast<uint32_t>(data.size()));
  const size_t start = out.size();
  out.append(type).append(data);
  append_u32(out, crc_of(std::string_view(out).substr(start)));
}

// Section 9.4: of a (left), b (above), c (above left) the one nearest to a + b - c.
uint8_t paeth(int a, int b, int c) {
  const int da = std::abs(b - c), db = std::abs(a - c), dc = std::abs(a + b - 2 * c);
  return static_cast<uint8_t>(da <= db && da <= dc ? a : db <= dc ? b : c);
}

uint8_t filtered(int type, int x, int a, int b, int c) {
  switch (type) {
    case 1:
      return static_cast<uint8_t>(x - a);
    case 2:
      return static_cast<uint8_t>(x - b);
    case 3:
      return static_cast<uint8_t>(x - (a + b) / 2);
    case 4:
      return static_cast<uint8_t>(x - paeth(a, b, c));
    default:
      return static_cast<uint8_t>(x);
  }
}

// Each row with the filter whose differences, taken as signed bytes, add up to the least (section 12.7's heuristic).
std::string filter_rows(const uint8_t* pixels, int64_t height, int64_t row) {
  const std::vector<uint8_t> nothing(static_cast<size_t>(row), 0);
  std::string result;
  result.reserve(static_cast<size_t>(height * (row + 1)));
  std::string line(static_cast<size_t>(row), 0), best;
  for (int64_t y = 0; y < height; ++y) {
    const uint8_t* now = pixels + y * row;
    const uint8_t* above = y == 0 ? nothing.data() : now - row;
    int64_t best_cost = INT64_MAX;
    int best_type = 0;
    for (int type = 0; type < 5; ++type) {
      int64_t cost = 0;
      for (int64_t x = 0; x < row; ++x) {
        const int a = x < 3 ? 0 : now[x - 3], c = x < 3 ? 0 : above[x - 3];
        line[x] = static_cast<char>(filtered(type, now[x], a, above[x], c));
        cost += std::abs(static_cast<int8_t>(line[x]));
      }
      if (cost < best_cost) {
        best_cost = cost;
        best_type = type;
        best = line;
      }
    }
    result.push_back(static_cast<char>(best_type));
    result += best;
  }
  return result;
}

std::string deflated(std::string_view bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, 0);
  const int status = compress2(reinterpret_cast<Bytef*>(out.data()), &size,
                               reinterpret_cast<const Bytef*>(bytes.data()), bytes.size(), Z_DEFAULT_COMPRESSION);
  TORCH_CHECK(status == Z_OK, "zlib: status ", status);
  out.resize(size);
  return out;
}

std::string inflated(std::string_view bytes, const std::string& name) {
  z_stream stream{};
  TORCH_CHECK(inflateInit(&stream) == Z_OK, "zlib does not start");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int status = Z_OK;
  while (status == Z_OK && out.size() < kMaxText) {
    char block[1 << 14];
    stream.next_out = reinterpret_cast<Bytef*>(block);
    stream.avail_out = sizeof block;
    status = inflate(&stream, Z_NO_FLUSH);
    out.append(block, sizeof block - stream.avail_out);
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END) fail("{}: a compressed text chunk is damaged or too long", name);
  return out;
}

bool is_ascii(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  return true;
}

std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out.push_back(c);
    } else {
      out.push_back(static_cast<char>(0xC0 | byte >> 6));
      out.push_back(static_cast<char>(0x80 | (byte & 0x3F)));
    }
  }
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

std::string encode_png(const Tensor& image, const PngText& text) {
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte && image.numel() > 0,
              "encode_png: expected [H, W, 3] uint8, got ", image.sizes(), " ", image.scalar_type());
  const Tensor pixels = image.cpu().contiguous();
  const int64_t height = pixels.size(0), width = pixels.size(1);

  std::string header;
  append_u32(header, static_cast<uint32_t>(width));
  append_u32(header, static_cast<uint32_t>(height));
  header.append("\x08\x02\0\0\0", 5);  // 8 bits, RGB, deflate, the five filters, not interlaced

  std::string out(kSignature);
  append_chunk(out, "IHDR", header);
  for (const auto& [keyword, value] : text) {
    TORCH_CHECK(!keyword.empty() && keyword.size() < 80 && is_ascii(keyword), "PNG keyword '", keyword, "'");
    // Section 11.3.3: tEXt is Latin-1. ASCII is that and UTF-8 at once; anything else becomes uncompressed UTF-8.
    if (is_ascii(value))
      append_chunk(out, "tEXt", keyword + '\0' + value);
    else
      append_chunk(out, "iTXt", keyword + std::string(5, '\0') + value);
  }
  append_chunk(out, "IDAT", deflated(filter_rows(pixels.const_data_ptr<uint8_t>(), height, 3 * width)));
  append_chunk(out, "IEND", "");
  return out;
}

void write_png(const std::filesystem::path& path, const Tensor& image, const PngText& text) {
  write_atomically(path, encode_png(image, text));
}

PngText read_png_text(const std::filesystem::path& path) {
  return png_text(read_file(path, "PNG image"), path.string());
}

PngText png_text(std::string_view bytes, const std::string& name) {
  PngText text;
  for_each_png_chunk(bytes, name, [&](std::string_view type, std::string_view data) {
    if (type == "tEXt") {
      const std::string keyword(take_field(data, name));
      text.emplace_back(keyword, utf8_of_latin1(data));
    } else if (type == "zTXt") {
      const std::string keyword(take_field(data, name));
      if (!data.empty()) text.emplace_back(keyword, utf8_of_latin1(inflated(data.substr(1), name)));
    } else if (type == "iTXt") {
      const std::string keyword(take_field(data, name));
      if (data.size() < 2) fail("{}: a text chunk is damaged", name);
      const bool compressed = data[0] != 0;
      data.remove_prefix(2);
      take_field(data, name);  // language
      take_field(data, name);  // translated keyword
      text.emplace_back(keyword, compressed ? inflated(data, name) : std::string(data));
    }
  });
  return text;
}

}  // namespace uvic
