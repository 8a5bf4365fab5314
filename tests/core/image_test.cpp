#include "core/image/image.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "core/files.h"
#include "tests/temporary.h"

namespace uvic::image_test {
namespace {

const fs::path kImages = fs::path(UVIC_TEST_DATA) / "images";

std::string hash_of(const Tensor& image) {
  const Tensor pixels = image.contiguous();
  return sha256_of_bytes({static_cast<const char*>(pixels.data_ptr()), pixels.nbytes()});
}

// Busy in every frequency and channel, and the same in the Python that made the expected sums.
Tensor formula_image(int64_t width, int64_t height) {
  Tensor image = at::empty({height, width, 3}, at::kByte);
  auto* p = image.data_ptr<uint8_t>();
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c)
        *p++ = static_cast<uint8_t>(
            (x * x * 7 + y * 13 * (c + 1) + x * y * (c + 3) + ((x * 31 + y * 17 + c * 101) % 23) * 9) % 256);
  return image;
}

struct Decoded {
  const char* file;
  int64_t height, width;
  const char* sha256;  // of the RGB bytes that Pillow 13.0.0 decodes with convert("RGB")
};

constexpr Decoded kDecoded[] = {
    {"rgb.jpg", 13, 19, "5365fe511b76dd99956b0d31f407a00a0e49c1750f9a37bd787b13f782713adf"},
    {"rotated.jpg", 13, 19, "5365fe511b76dd99956b0d31f407a00a0e49c1750f9a37bd787b13f782713adf"},  // EXIF says "turn"
    {"progressive.jpg", 13, 19, "b12235509031847b5bc04727c238b4a6d31e36da50ede07e54142ef9c3002307"},
    {"grey.jpg", 13, 19, "4749e877c481b64b36cfcd460b6c673a9b899c354a66049e384539b9ba81fa4a"},
    {"cmyk.jpg", 13, 19, "b407841a347fc2148591ae74ff0639eb909af489595d1363e2912f7c56d2d268"},
    {"rgb.bmp", 13, 19, "aab9ceb1285304692c4d17c3c9405d17c3adf7347b96833648ffe1dd12676a20"},
    {"palette.gif", 13, 19, "d8f49832faf710beec5819a4dfd7badb0031426ec89835c9f179a1d8fc1135ae"},
    {"lossless.webp", 13, 19, "aab9ceb1285304692c4d17c3c9405d17c3adf7347b96833648ffe1dd12676a20"},
    {"lossy.webp", 13, 19, "f80cd620d3d67f234d392c635c68f006ef609e1575b77967ce677092ed828db0"},
    {"rgba.png", 13, 19, "aab9ceb1285304692c4d17c3c9405d17c3adf7347b96833648ffe1dd12676a20"},
    {"rgba.webp", 13, 19, "aab9ceb1285304692c4d17c3c9405d17c3adf7347b96833648ffe1dd12676a20"},
    {"rgb.tif", 13, 19, "aab9ceb1285304692c4d17c3c9405d17c3adf7347b96833648ffe1dd12676a20"},
    {"grey_alpha.png", 13, 19, "6b95b05d2a69d376ce77ca8f651883ca401a32c9c5e5d4eae0d36bde6e7873a1"},
    {"one_bit.png", 13, 19, "b48928f1793af223881b665a4a096527154a5e4b8c8dfb538f15586585ecabf7"},
    {"palette_transparent.png", 13, 19, "756a904e0c24ab90974f27d1358adcac640540631ffff362e1b674dace6b4182"},
    {"rgb16.png", 7, 9, "51ba429722ef5125fc7d0d2e27fd3dded6e79e93742b5f23c82b614854d931a9"},
    {"interlaced.gif", 13, 19, "22e5e4a8a7f653788b4e23b9d50e0cc576f66816d005245ef9d73d0e264fd23c"},
    {"partial.gif", 17, 24, "c41d783244b838326cf68e6a9fc10f5d39f0ffcd9b5ee5a06208c5dd833fb59f"},  // with transparency
    {"wide.gif", 64, 64, "10665295c17ff9f8cddf3adb981369827e3d6b97d9c93fdbce0598c217cc31cd"},     // codes of 12 bits
    {"animated.webp", 12, 16, "2d23ba0b9ffb2884407502dd6d607a588c8279afe45b6e70378a9b1937956775"},
    {"rgb16.tif", 7, 9, "2e51d222526ea7aa88bf67e24a918a3f66b647370351ac4e376271c2f657e3a7"},
    {"rgba.tif", 13, 19, "23d1c57c701ba7b5ce20a69e0326a0955fbd1a640aea3b662538e8845cc73d14"},
    {"premultiplied.tif", 13, 19, "5bf41734f2b4a4296f23fb9e228a513dffe79acae4f11859318846be0e9f5df7"},
    {"planes.tif", 13, 19, "23d1c57c701ba7b5ce20a69e0326a0955fbd1a640aea3b662538e8845cc73d14"},
    {"tiles.tif", 37, 40, "053d77952dbd4b94ec62e38d9f086be7ff2ac535ce650a2e1a89d4e95c761673"},
    {"palette.tif", 13, 19, "22e5e4a8a7f653788b4e23b9d50e0cc576f66816d005245ef9d73d0e264fd23c"},
    {"cmyk.tif", 13, 19, "23d1c57c701ba7b5ce20a69e0326a0955fbd1a640aea3b662538e8845cc73d14"},
    {"jpeg.tif", 13, 19, "cd8640e48307eb3f510417b2d35b555ce576b69ac3ddfaad8c01cd031380dcb4"},
    {"ycbcr.tif", 14, 20, "74f7decdf66a621ea9314bc56b16a6d005d0858dafcb7cf92811b549d4376737"},
    {"fax.tif", 13, 19, "fd2bb3423a875e660b3c7d43c5d186e82f628b53e47f575c196a372770a5408a"},
    {"white_is_zero.tif", 13, 19, "52b87f8917c84f7aa8476e87d6ae2860c9ecdd957011d0691c046690960cb972"},
    // The upper bytes; Pillow would clip all these greys to white.
    {"grey16.png", 7, 9, "5b2011b3c9d6e861fe2ec44e9ea96825cca852aa5ad493d8704248d2c00d720f"},
    {"grey16.tif", 7, 9, "4c040f1924292df56d5462fd137f05aef79698447ef9d37a6dddad555d29f17c"},
};

TEST(DecodeImage, GivesThePixelsThatPillowGives) {
  for (const Decoded& expected : kDecoded) {
    const Tensor image = read_image(kImages / expected.file);
    EXPECT_EQ(image.sizes(), (std::vector<int64_t>{expected.height, expected.width, 3})) << expected.file;
    EXPECT_EQ(hash_of(image), expected.sha256) << expected.file;
    EXPECT_TRUE(has_image_extension(expected.file)) << expected.file;
  }
}

TEST(DecodeImage, NamesTheDamagedFile) {
  for (const Decoded& whole : kDecoded) {
    const std::string bytes = read_file(kImages / whole.file, "image");
    const std::string cut = bytes.substr(0, bytes.size() / 2);
    expect_mentions(error_of([&] { decode_image(cut, "holiday"); }), {"holiday"});
  }
  expect_mentions(error_of([] { decode_image("", "nothing.png"); }), {"nothing.png: the file is empty"});
  expect_mentions(error_of([] { decode_image("just a text", "a.jpg"); }), {"a.jpg: damaged, or no image format"});
  expect_mentions(error_of([] { read_image("no/such.png"); }), {"no/such.png"});
}

TEST(DecodeImage, NoticesAFlippedBit) {
  std::string bytes = read_file(kImages / "rgba.png", "image");
  bytes[bytes.size() / 2] ^= 1;
  expect_mentions(error_of([&] { decode_image(bytes, "a.png"); }), {"a.png: the PNG file is damaged"});
}

// Whatever a file holds, a data set goes on without it: a picture or an Error, and no other exception.
TEST(DecodeImage, TakesEveryShortBeginningOfAFile) {
  for (const Decoded& file : kDecoded) {
    const std::string bytes = read_file(kImages / file.file, "image");
    for (size_t length = 0; length <= std::min<size_t>(bytes.size(), 64); ++length) {
      try {
        decode_image(bytes.substr(0, length), "short");
        ADD_FAILURE() << length << " bytes of " << file.file << " are a picture";
      } catch (const Error& error) {
        expect_mentions(error.what(), {"short"});
      } catch (const std::exception& other) {
        ADD_FAILURE() << length << " bytes of " << file.file << ": " << other.what();
      }
    }
  }
}

// OpenCV would hand some of these to libraries that open the files and addresses which they name.
TEST(DecodeImage, RefusesFormatsThatAreNotListed) {
  const TemporaryFolder folder;
  const fs::path secret = folder.put("secret", std::string(300, 's'));
  std::string vrt = "<VRTDataset rasterXSize=\"8\" rasterYSize=\"8\">";
  for (const char* band : {"Red", "Green", "Blue"})
    vrt += fmt::format(
        "<VRTRasterBand dataType=\"Byte\" subClass=\"VRTRawRasterBand\"><ColorInterp>{}</ColorInterp>"
        "<SourceFilename relativetoVRT=\"0\">{}</SourceFilename><ImageOffset>0</ImageOffset>"
        "<PixelOffset>1</PixelOffset><LineOffset>8</LineOffset></VRTRasterBand>",
        band, secret.string());
  vrt += "</VRTDataset>";
  const std::string dicom = std::string(128, '\0').append("DICM");
  for (const std::string& bytes :
       {"NITF" + vrt, vrt, std::string("#?RADIANCE\n\n-Y 1 +X 1\n"), std::string("\x76\x2f\x31\x01\x02\0\0\0", 8),
        std::string("\0\0\0\x0cjP  \r\n\x87\n", 12), std::string("PF\n1 1\n-1.0\n000000000000"),
        std::string("P7\nWIDTH 1\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nENDHDR\nabc"),
        std::string("\x59\xa6\x6a\x95\0\0\0\1\0\0\0\1\0\0\0\x18", 16), dicom})
    expect_mentions(error_of([&] { decode_image(bytes, "a.png"); }),
                    {"a.png", "no image format that uvic reads (JPEG, PNG, WebP, BMP, GIF, TIFF, PNM)"});
}

TEST(DecodeImage, ReadsEveryKindOfPnm) {
  const auto greys = [](const std::string& bytes) {
    const Tensor image = decode_image(bytes, "a.pnm").flatten().to(at::kLong);
    return std::vector<int64_t>(image.data_ptr<int64_t>(), image.data_ptr<int64_t>() + image.numel());
  };
  using Bytes = std::vector<int64_t>;
  EXPECT_EQ(greys("P1 # bits\n2 1\n01"), (Bytes{255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(greys("P4\n2 1\n\x40"), (Bytes{255, 255, 255, 0, 0, 0}));
  EXPECT_EQ(greys("P2\n2 1\n15\n15 1\n"), (Bytes{255, 255, 255, 17, 17, 17}));
  EXPECT_EQ(greys("P5\n1 1\n100\n\x32"), (Bytes{128, 128, 128}));
  EXPECT_EQ(greys("P3\n1 1\n255\n1 2 3"), (Bytes{1, 2, 3}));
  EXPECT_EQ(greys("P6 1 1 255 abc"), (Bytes{'a', 'b', 'c'}));
  EXPECT_EQ(greys("P6 1 1 65535 " + std::string("\x80\x80\x01\x01\xff\xff", 6)), (Bytes{128, 1, 255}));
  for (const char* damaged :
       {"P6 1 1 255 ab", "P6 1 1 0 abc", "P5 99999999999 1 255 ", "P3 1 1 255 1 2", "P2 1 1 9 10"})
    expect_mentions(error_of([&] { decode_image(damaged, "a.pnm"); }), {"a.pnm"});
}

TEST(DecodeImage, TransparentPartsAreBlackWhereThatIsAsked) {
  for (const char* file : {"rgba.png", "rgba.webp", "rgba.tif"}) {
    const Tensor image = read_image(kImages / file), shown = read_image(kImages / file, Alpha::kOverBlack);
    EXPECT_TRUE((shown <= image).all().item<bool>()) << file;
    EXPECT_LT(shown.to(at::kFloat).mean().item<float>(), image.to(at::kFloat).mean().item<float>()) << file;
  }
  const Tensor opaque = read_image(kImages / "text.png", Alpha::kOverBlack);
  EXPECT_TRUE(at::equal(opaque, read_image(kImages / "text.png")));
  // Screen and frame of this GIF differ: what is around it is transparent.
  EXPECT_EQ(read_image(kImages / "partial.gif", Alpha::kOverBlack)[0].max().item<int>(), 0);
  EXPECT_GT(read_image(kImages / "partial.gif")[0].max().item<int>(), 0);
}

// `count` bytes of a number, the most significant first or last.
std::string number_bytes(uint64_t value, int count, bool big_endian) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> 8 * (big_endian ? count - 1 - i : i));
  return bytes;
}

std::string with(std::string bytes, size_t at, const std::string& part) {
  return bytes.replace(at, part.size(), part);
}

std::string png_of(uint32_t width, uint32_t height) {
  const auto chunk = [](const std::string& text) {
    const auto* bytes = reinterpret_cast<const Bytef*>(text.data());
    return number_bytes(text.size() - 4, 4, true) + text +
           number_bytes(crc32(0, bytes, static_cast<uInt>(text.size())), 4, true);
  };
  const std::string header = number_bytes(width, 4, true) + number_bytes(height, 4, true);
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR" + header + std::string("\x08\x02\0\0\0", 5)) + chunk("IDATx") +
         chunk("IEND");
}

// A few bytes that claim more pixels than any picture may have: refused from the header, before anything is allocated.
TEST(DecodeImage, RefusesHugePicturesFromTheirHeaders) {
  const auto file = [](const char* name) { return read_file(kImages / name, "image"); };
  const std::string jpeg = file("rgb.jpg"), lossy = file("lossy.webp"), lossless = file("lossless.webp");
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  const auto many = [](int count, bool big_endian) { return number_bytes(65000, count, big_endian); };
  std::map<std::string, std::string> bombs = {
      {"jpg", with(jpeg, frame + 5, many(2, true) + many(2, true))},
      {"gif", with(file("palette.gif"), 6, many(2, false) + many(2, false))},
      {"bmp", with(file("rgb.bmp"), 18, many(4, false) + many(4, false))},
      {"vp8", with(lossy, 26, number_bytes(16383, 2, false) + number_bytes(16383, 2, false))},
      {"vp8l", with(lossless, 21, number_bytes(16382 | 16382 << 14, 4, false))},
      {"png", png_of(65000, 65000)},
      {"ppm", "P6 65000 65000 255 abc"},
      {"tif", std::string("II*\0\x08\0\0\0", 8) + number_bytes(7, 2, false) +
                  // tag, type, count, value: width, height, bits, packing, meaning
                  [&] {
                    std::string tags;
                    for (const auto& [tag, value] :
                         {std::pair(256, 65000), {257, 65000}, {258, 8}, {259, 1}, {262, 1}, {273, 8}, {279, 1}})
                      tags += number_bytes(tag, 2, false) + number_bytes(4, 2, false) + number_bytes(1, 4, false) +
                              number_bytes(value, 4, false);
                    return tags;
                  }() +
                  std::string(4, '\0')}};
  for (const auto& [format, bytes] : bombs)
    expect_mentions(error_of([&] { decode_image(bytes, "bomb"); }), {"bomb", " pixels are more than the 178956970 "});
}

TEST(HasImageExtension, IgnoresCaseAndOtherFiles) {
  EXPECT_TRUE(has_image_extension("a/B.JPeG"));
  EXPECT_FALSE(has_image_extension("a/b.txt"));
  EXPECT_FALSE(has_image_extension("png"));
  for (const char* name : {"a.jfif", "a.JPE", "a.tiff", "a.pbm"}) {
    EXPECT_TRUE(has_image_extension(name)) << name;
    EXPECT_FALSE(has_foreign_image_extension(name)) << name;
  }
  for (const char* name : {"a.avif", "b/a.HEIC", "a.jp2", "a.exr", "a.svg", "a.psd"}) {
    EXPECT_FALSE(has_image_extension(name)) << name;
    EXPECT_TRUE(has_foreign_image_extension(name)) << name;
  }
  EXPECT_FALSE(has_foreign_image_extension("metadata.jsonl"));
}

TEST(ImageFormat, IsKnownByTheFirstBytesAlone) {
  for (const Decoded& file : kDecoded) {
    const std::string bytes = read_file(kImages / file.file, "image");
    EXPECT_EQ(image_format(bytes.substr(0, 16)), image_format(bytes)) << file.file;
    EXPECT_NE(image_format(bytes), "") << file.file;
  }
  for (const char* other : {"", "R", "RIFF", "RIFFxxx", "RIFF....WAVE", "P7\nWIDTH 1", "PF\n1 1", "GIF", "NITF02.10",
                            "<VRTDataset>", "P1x"})
    EXPECT_EQ(image_format(other), "") << other;
}

struct Resized {
  Filter filter;
  int64_t height, width;
  const char* sha256;  // first digits, of what Pillow 13.0.0 makes of formula_image(64, 48)
};

TEST(ResizeLikePillow, EqualsPillowBitForBit) {
  constexpr Resized kResized[] = {
      {Filter::kBox, 17, 23, "f2c9a14e86f5edaf"},      {Filter::kBox, 21, 64, "5f58d4743b8bf273"},
      {Filter::kBox, 48, 31, "d8d710cc2cc2ce22"},      {Filter::kBox, 131, 150, "8081ad5025bd0dc3"},
      {Filter::kBox, 1, 1, "957cb83ef611fd02"},        {Filter::kBox, 100, 7, "5babbcf0f62f099b"},
      {Filter::kBilinear, 17, 23, "658301d80748010c"}, {Filter::kBilinear, 21, 64, "68f343564610c9b5"},
      {Filter::kBilinear, 48, 31, "4d1df1d7b07a94e1"}, {Filter::kBilinear, 131, 150, "7fad7dbdb25e01f6"},
      {Filter::kBilinear, 1, 1, "caa8fcc6c761ba1a"},   {Filter::kBilinear, 100, 7, "c873208ccb0aef7f"},
      {Filter::kBicubic, 17, 23, "5b4cf272bbbbef75"},  {Filter::kBicubic, 21, 64, "5b90ceb3bd0c873e"},
      {Filter::kBicubic, 48, 31, "7e850403fbefabef"},  {Filter::kBicubic, 131, 150, "210a88fc60f4f29e"},
      {Filter::kBicubic, 1, 1, "caa8fcc6c761ba1a"},    {Filter::kBicubic, 100, 7, "01de8ee7b3961ff8"},
      {Filter::kLanczos, 17, 23, "b5fd0a7a77f6b5dc"},  {Filter::kLanczos, 21, 64, "636433f52c27d3f6"},
      {Filter::kLanczos, 48, 31, "4c8b22ee86b69d1e"},  {Filter::kLanczos, 131, 150, "4c6304d7f8d50b22"},
      {Filter::kLanczos, 1, 1, "caa8fcc6c761ba1a"},    {Filter::kLanczos, 100, 7, "2bace33c6ac6b5c5"},
  };
  const Tensor image = formula_image(64, 48);
  ASSERT_EQ(hash_of(image), "0cc8345068988a8c3c8f629867380e1a1bffcda358d2827220e3c390c527eef8");
  for (const Resized& expected : kResized) {
    const Tensor got = resize_like_pillow(image, expected.height, expected.width, expected.filter);
    EXPECT_EQ(got.sizes(), (std::vector<int64_t>{expected.height, expected.width, 3}));
    EXPECT_EQ(hash_of(got).substr(0, 16), expected.sha256)
        << "filter " << static_cast<int>(expected.filter) << ", " << expected.height << " x " << expected.width;
  }
}

TEST(ResizeLikePillow, TakesViews) {
  const Tensor image = formula_image(40, 30), view = image.narrow(0, 5, 20).narrow(1, 7, 20);
  EXPECT_TRUE(at::equal(resize_like_pillow(view, 9, 9, Filter::kBicubic),
                        resize_like_pillow(view.clone(at::MemoryFormat::Contiguous), 9, 9, Filter::kBicubic)));
  EXPECT_TRUE(at::equal(resize_like_pillow(view, 20, 20, Filter::kBicubic), view));
}

TEST(CenterCropResize, CutsTheMiddleSquare) {
  const Tensor wide = formula_image(37, 20);  // columns 8 to 27
  EXPECT_TRUE(at::equal(center_crop_resize(wide, 20), wide.narrow(1, 8, 20)));
  const Tensor high = formula_image(11, 24);  // rows 6 to 16
  EXPECT_TRUE(
      at::equal(center_crop_resize(high, 5), resize_like_pillow(high.narrow(0, 6, 11), 5, 5, Filter::kLanczos)));
}

TEST(CenterCropAdm, HalvesThenScalesThenCrops) {
  const Tensor image = formula_image(130, 101);
  const Tensor halved = resize_like_pillow(image, 50, 65, Filter::kBox);       // 50 < 2 x 32
  const Tensor scaled = resize_like_pillow(halved, 32, 42, Filter::kBicubic);  // 65 x 0.64 = 41.6
  EXPECT_TRUE(at::equal(center_crop_adm(image, 32), scaled.narrow(1, 5, 32)));
}

TEST(ToUint8, RoundsHalfUpAndClamps) {
  const Tensor x = at::tensor({-2.0f, -1.0f, 0.0f, 1.0f, 3.0f, 2 * 10.4f / 255 - 1, 2 * 10.6f / 255 - 1});
  EXPECT_TRUE(at::equal(to_uint8(x), at::tensor({0, 0, 128, 255, 255, 10, 11}, at::kByte)));
}

TEST(ToFloat, IsUndoneByToUint8) {
  const Tensor every = at::arange(256, at::kInt).to(at::kByte);
  const Tensor x = to_float(every);
  EXPECT_EQ(x[0].item<float>(), -1);
  EXPECT_EQ(x[255].item<float>(), 1);
  EXPECT_TRUE(at::equal(to_uint8(x), every));
}

// Nothing but rounding parts it from the resampling of bytes, where no value leaves the range.
TEST(ResizeFloatLikePillow, IsTheResamplingOfBytesWithoutItsRounding) {
  const Tensor bytes = formula_image(40, 30).floor_divide(2).add_(64);
  const Tensor planes = bytes.permute({2, 0, 1}).to(at::kFloat);
  for (const Filter filter : {Filter::kBox, Filter::kBilinear, Filter::kBicubic, Filter::kLanczos})
    for (const int64_t side : {17, 40, 91}) {
      const Tensor got = resize_float_like_pillow(planes, side, side + 3, filter).permute({1, 2, 0});
      const Tensor want = resize_like_pillow(bytes, side, side + 3, filter).to(at::kFloat);
      const Tensor inside = (got > 1).logical_and_(got < 254);
      EXPECT_LT(((got - want).abs() * inside).max().item<float>(), 1.4) << side;  // half a step per pass, amplified
      if (filter == Filter::kBox) continue;                                       // may well be whole numbers
      EXPECT_GT((got - got.round()).abs().max().item<float>(), 0.3);
    }
}

}  // namespace
}  // namespace uvic::image_test
