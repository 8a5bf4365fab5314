// The first page of a TIFF with libtiff, out of memory.
#include <tiffio.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/error.h"
#include "core/image/decoders.h"

namespace uvic {
namespace {

constexpr int64_t kLargestBuffer = int64_t{256} << 20;

struct Source {
  std::string_view bytes;
  uint64_t at = 0;
  std::string problem;
};

tmsize_t read_source(thandle_t handle, void* out, tmsize_t size) {
  auto* source = static_cast<Source*>(handle);
  const uint64_t rest = source->bytes.size() - std::min<uint64_t>(source->at, source->bytes.size());
  const auto got = static_cast<tmsize_t>(std::min<uint64_t>(rest, static_cast<uint64_t>(size)));
  if (got > 0) std::memcpy(out, source->bytes.data() + source->at, static_cast<size_t>(got));
  source->at += static_cast<uint64_t>(got);
  return got;
}

toff_t seek_source(thandle_t handle, toff_t offset, int whence) {
  auto* source = static_cast<Source*>(handle);
  const uint64_t base = whence == SEEK_CUR ? source->at : whence == SEEK_END ? source->bytes.size() : 0;
  return source->at = base + offset;
}

int map_source(thandle_t handle, void** base, toff_t* size) {
  const auto* source = static_cast<Source*>(handle);
  *base = const_cast<char*>(source->bytes.data());
  *size = source->bytes.size();
  return 1;
}

int note_problem(TIFF*, void* source, const char*, const char* format, va_list arguments) {
  auto& problem = static_cast<Source*>(source)->problem;
  char text[200];
  std::vsnprintf(text, sizeof text, format, arguments);
  if (problem.empty()) problem = text;
  return 1;
}

using Handle = std::unique_ptr<TIFF, void (*)(TIFF*)>;

Handle open_tiff(Source& source, const std::string& name) {
  const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(),
                                                                             TIFFOpenOptionsFree);
  if (!options) throw std::bad_alloc();
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kLargestBuffer);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), note_problem, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(
      options.get(), [](TIFF*, void*, const char*, const char*, va_list) { return 1; }, nullptr);
  Handle tiff(
      TIFFClientOpenExt(
          "", "r", &source, read_source, [](thandle_t, void*, tmsize_t) { return tmsize_t{0}; }, seek_source,
          [](thandle_t) { return 0; }, [](thandle_t s) { return toff_t{static_cast<Source*>(s)->bytes.size()}; },
          map_source, [](thandle_t, void*, toff_t) {}, options.get()),
      TIFFClose);
  if (!tiff) fail("{}: damaged TIFF: {}", name, source.problem);
  return tiff;
}

struct Layout {
  uint32_t width = 0, height = 0, block_width = 0, block_height = 0;
  uint16_t bits = 1, samples = 1, meaning = 0, packing = COMPRESSION_NONE;
  uint16_t extra = EXTRASAMPLE_UNSPECIFIED;  // of the first sample behind the colours
  bool has_planes = false, has_tiles = false, is_unsigned = true;
  const uint16_t* palette[3] = {};

  int colours() const {
    return meaning == PHOTOMETRIC_RGB || meaning == PHOTOMETRIC_YCBCR ? 3 : meaning == PHOTOMETRIC_SEPARATED ? 4 : 1;
  }
  bool has_alpha() const { return samples > colours() && extra != EXTRASAMPLE_UNSPECIFIED; }
  int planes() const { return has_planes ? colours() + has_alpha() : 1; }  // that are read
};

Layout read_layout(TIFF* tiff, const std::string& name) {
  Layout layout;
  uint16_t planes = PLANARCONFIG_CONTIG, extras = 0, kind = SAMPLEFORMAT_UINT;
  uint16_t *extra = nullptr, *red = nullptr, *green = nullptr, *blue = nullptr;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &layout.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &layout.samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planes);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &layout.packing);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &kind);
  if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extras, &extra) && extras > 0) layout.extra = extra[0];
  layout.is_unsigned = kind == SAMPLEFORMAT_UINT || kind == SAMPLEFORMAT_VOID;
  layout.has_planes = planes == PLANARCONFIG_SEPARATE && layout.samples > 1;
  layout.has_tiles = TIFFIsTiled(tiff) != 0;
  layout.block_width = layout.width;
  layout.block_height = 1;  // a scanline, unless planes ask for whole strips
  if (layout.has_tiles) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &layout.block_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &layout.block_height);
  } else if (layout.has_planes) {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &layout.block_height);
    layout.block_height = std::min(layout.block_height, layout.height);
  }
  if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.meaning) || layout.block_width == 0 || layout.block_height == 0)
    fail("{}: damaged TIFF: tags are missing", name);
  if (TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue))
    layout.palette[0] = red, layout.palette[1] = green, layout.palette[2] = blue;
  return layout;
}

void check_layout(const Layout& layout, const std::string& name) {
  // Not LZMA, whose files say how much memory they take, nor what few programs know.
  constexpr uint16_t kPackings[] = {COMPRESSION_NONE,      COMPRESSION_CCITTRLE,      COMPRESSION_CCITTRLEW,
                                    COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,     COMPRESSION_LZW,
                                    COMPRESSION_JPEG,      COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE,
                                    COMPRESSION_PACKBITS,  COMPRESSION_ZSTD};
  const bool grey = layout.meaning == PHOTOMETRIC_MINISBLACK || layout.meaning == PHOTOMETRIC_MINISWHITE;
  const bool colour = layout.meaning == PHOTOMETRIC_RGB || layout.meaning == PHOTOMETRIC_SEPARATED;
  const bool palette = layout.meaning == PHOTOMETRIC_PALETTE && layout.palette[0];
  const bool small = layout.bits == 1 || layout.bits == 2 || layout.bits == 4;
  const bool fits = (grey && (small || layout.bits == 8 || layout.bits == 16)) ||
                    (colour && (layout.bits == 8 || layout.bits == 16)) || (palette && (small || layout.bits == 8)) ||
                    (layout.meaning == PHOTOMETRIC_YCBCR && layout.bits == 8);
  if (!fits || !layout.is_unsigned || layout.samples < layout.colours() ||
      std::ranges::count(kPackings, layout.packing) == 0)
    fail(
        "{}: a TIFF of a kind that is not read ({} samples of {} bits{}, colours {}, packing {}); save it as 8-bit RGB",
        name, layout.samples, layout.bits, layout.is_unsigned ? "" : ", signed or float", layout.meaning,
        layout.packing);
}

// `count` numbers of 1 to 16 bits to every `stride`th of `out`: the upper 8 bits, or if there are fewer, as they are.
void take_samples(const uint8_t* packed, int64_t count, int bits, uint8_t* out, int64_t stride) {
  for (int64_t i = 0; i < count; ++i, out += stride) {
    if (bits == 8) {
      *out = packed[i];
    } else if (bits == 16) {
      uint16_t value;
      std::memcpy(&value, packed + 2 * i, sizeof value);
      *out = static_cast<uint8_t>(value >> 8);
    } else {
      *out = static_cast<uint8_t>(packed[i * bits / 8] >> (8 - bits - i * bits % 8) & ((1 << bits) - 1));
    }
  }
}

void to_rgb(const Layout& layout, const uint8_t* samples, int64_t count, Alpha alpha, uint8_t* rgb) {
  const int most = layout.bits < 8 ? (1 << layout.bits) - 1 : 255, colours = layout.colours();
  for (int64_t i = 0; i < count; ++i, samples += layout.samples, rgb += 3) {
    if (layout.meaning == PHOTOMETRIC_SEPARATED) {
      put_inks(samples, rgb);
    } else if (layout.meaning == PHOTOMETRIC_PALETTE) {
      for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(layout.palette[c][samples[0]] >> 8);
    } else {
      for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(samples[colours == 1 ? 0 : c] * 255 / most);
      if (layout.meaning == PHOTOMETRIC_MINISWHITE)
        for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(255 - rgb[c]);
    }
    if (!layout.has_alpha()) continue;
    const int opacity = samples[colours];
    for (int c = 0; c < 3; ++c) {
      if (layout.extra == EXTRASAMPLE_ASSOCALPHA && alpha == Alpha::kDropped && opacity > 0)
        rgb[c] = static_cast<uint8_t>(std::min(255, 255 * rgb[c] / opacity));
      else if (layout.extra == EXTRASAMPLE_UNASSALPHA && alpha == Alpha::kOverBlack)
        rgb[c] = multiply_255(rgb[c], opacity);
    }
  }
}

bool read_block(TIFF* tiff, const Layout& layout, uint32_t x, uint32_t y, uint16_t plane, std::vector<uint8_t>& out) {
  if (layout.has_tiles) {
    const auto size = static_cast<tmsize_t>(out.size());
    return TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, plane), out.data(), size) == size;
  }
  if (!layout.has_planes) return TIFFReadScanline(tiff, out.data(), y, 0) == 1;
  const tmsize_t rows = std::min(layout.block_height, layout.height - y);
  const tmsize_t size = rows * TIFFScanlineSize(tiff);
  return TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane), out.data(), size) == size;
}

// What libtiff alone understands: subsampled colours that are not packed as JPEG.
Tensor read_with_libtiff(TIFF* tiff, const Layout& layout, const std::string& name) {
  const int64_t area = static_cast<int64_t>(layout.width) * layout.height;
  const Tensor image = new_picture(layout.width, layout.height, 8 * area, name);
  TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  std::vector<uint32_t> pixels(static_cast<size_t>(area));
  if (!TIFFReadRGBAImageOriented(tiff, layout.width, layout.height, pixels.data(), ORIENTATION_TOPLEFT, 1))
    fail("{}: damaged or truncated TIFF", name);
  auto* rgb = image.data_ptr<uint8_t>();
  for (const uint32_t pixel : pixels)
    for (int c = 0; c < 3; ++c) *rgb++ = static_cast<uint8_t>(pixel >> (8 * c));
  return image;
}

}  // namespace

Tensor decode_tiff(std::string_view bytes, const std::string& name, Alpha alpha) {
  Source source{.bytes = bytes, .at = 0, .problem = ""};
  const Handle tiff = open_tiff(source, name);
  const Layout layout = read_layout(tiff.get(), name);
  check_layout(layout, name);
  if (layout.meaning == PHOTOMETRIC_YCBCR) {
    if (layout.packing != COMPRESSION_JPEG || layout.has_planes) return read_with_libtiff(tiff.get(), layout, name);
    TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  }

  const auto row =
      static_cast<int64_t>(layout.has_tiles ? TIFFTileRowSize64(tiff.get()) : TIFFScanlineSize64(tiff.get()));
  const int64_t row_numbers = static_cast<int64_t>(layout.block_width) * (layout.has_planes ? 1 : layout.samples);
  if (row <= 0 || row > kLargestBuffer || (row_numbers * layout.bits + 7) / 8 > row ||
      row * layout.block_height > kLargestBuffer)
    fail("{}: damaged TIFF: rows of {} bytes, {} at a time", name, row, layout.block_height);
  const int64_t block = row * layout.block_height;
  const int64_t mixed = static_cast<int64_t>(layout.block_width) * layout.samples;
  const Tensor image = new_picture(layout.width, layout.height, 2 * layout.planes() * block + mixed, name);
  std::vector<std::vector<uint8_t>> planes(static_cast<size_t>(layout.planes()),
                                           std::vector<uint8_t>(static_cast<size_t>(block)));
  std::vector<uint8_t> samples(static_cast<size_t>(mixed));

  for (int64_t top = 0; top < layout.height; top += layout.block_height)
    for (int64_t left = 0; left < layout.width; left += layout.block_width) {
      for (size_t plane = 0; plane < planes.size(); ++plane)
        if (!read_block(tiff.get(), layout, static_cast<uint32_t>(left), static_cast<uint32_t>(top),
                        static_cast<uint16_t>(plane), planes[plane]))
          fail("{}: damaged or truncated TIFF (row {} of {}): {}", name, top, layout.height, source.problem);
      const int64_t width = std::min<int64_t>(layout.block_width, layout.width - left);
      const int64_t height = std::min<int64_t>(layout.block_height, layout.height - top);
      for (int64_t y = 0; y < height; ++y) {
        for (size_t plane = 0; plane < planes.size(); ++plane)
          take_samples(planes[plane].data() + y * row, row_numbers, layout.bits, samples.data() + plane,
                       layout.has_planes ? layout.samples : 1);
        to_rgb(layout, samples.data(), width, alpha, image.data_ptr<uint8_t>() + 3 * ((top + y) * layout.width + left));
      }
    }
  return image;
}

}  // namespace uvic
