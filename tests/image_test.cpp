#include "core/image.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "tests/temporary.h"

namespace uvic {
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
    // The upper bytes; Pillow would clip all these greys to white.
    {"grey16.png", 7, 9, "5b2011b3c9d6e861fe2ec44e9ea96825cca852aa5ad493d8704248d2c00d720f"},
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
}  // namespace uvic
