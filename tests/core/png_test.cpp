#include <gtest/gtest.h>
#include <zlib.h>

#include "core/files.h"
#include "core/image/image.h"
#include "tests/temporary.h"

namespace uvic::png_test {
namespace {

Tensor noise(int64_t height, int64_t width) {
  at::manual_seed(7);
  return at::randint(256, {height, width, 3}, at::kByte);
}

// Every pixel 2 more than its left and 1 more than its upper neighbour.
Tensor ramp(int64_t height, int64_t width) {
  const Tensor y = at::arange(height, at::kInt).view({-1, 1, 1}), x = at::arange(width, at::kInt).view({1, -1, 1});
  return (y + 2 * x + at::arange(3, at::kInt) * 50).remainder(256).to(at::kByte);
}

TEST(EncodePng, IsDecodedToTheSamePixels) {
  for (const Tensor& image : {noise(1, 1), noise(33, 17), ramp(40, 50), at::zeros({5, 3, 3}, at::kByte)})
    EXPECT_TRUE(at::equal(decode_image(encode_png(image), "encoded"), image)) << image.sizes();
}

TEST(EncodePng, PredictsSmoothPicturesWell) {
  EXPECT_LT(encode_png(ramp(200, 200)).size(), 200u * 200 * 3 / 50);
  EXPECT_LT(encode_png(noise(50, 50)).size(), 50u * 51 * 3 + 200);
}

TEST(EncodePng, TakesTransposedViews) {
  const Tensor chw = noise(6, 9).permute({2, 0, 1}).contiguous();
  EXPECT_TRUE(at::equal(decode_image(encode_png(chw.permute({1, 2, 0})), "encoded"), chw.permute({1, 2, 0})));
}

TEST(PngText, ComesBackInAnyLanguage) {
  const TemporaryFolder folder;
  const PngText text = {
      {"parameters", "a red circle\nSteps: 20, Seed: 7"}, {"Title", "ein Kätzchen, 猫"}, {"empty", ""}};
  write_png(folder / "a.png", noise(4, 4), text);
  EXPECT_EQ(read_png_text(folder / "a.png"), text);
  EXPECT_TRUE(at::equal(read_image(folder / "a.png"), noise(4, 4)));
}

TEST(PngText, ReadsWhatPillowWrote) {
  std::string long_text, umlauts;
  for (int i = 0; i < 300; ++i) long_text += "abc ";
  for (int i = 0; i < 50; ++i) umlauts += "ünïcode ";
  const PngText expected = {{"Author", "Zoë"}, {"long", long_text}, {"Title", "猫 on a mat"}, {"z", umlauts}};
  EXPECT_EQ(read_png_text(fs::path(UVIC_TEST_DATA) / "images/text.png"), expected);
}

std::string big_endian(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::string compressed_text(size_t size) {
  std::string packed(compressBound(size), 0);
  uLongf length = packed.size();
  compress(reinterpret_cast<Bytef*>(packed.data()), &length,
           reinterpret_cast<const Bytef*>(std::string(size, 'a').data()), size);
  const std::string chunk = "zTXtkey" + std::string(2, '\0') + packed.substr(0, length);
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(chunk.data()), static_cast<uInt>(chunk.size()));
  return big_endian(static_cast<uint32_t>(chunk.size() - 4)) + chunk + big_endian(static_cast<uint32_t>(sum));
}

TEST(PngText, UnpacksTo64MegabytesInAll) {
  constexpr size_t kHalf = 32 << 20, kHeader = 33;
  const auto with = [](const std::string& chunks) { return encode_png(noise(2, 2)).insert(kHeader, chunks); };
  const std::string half = compressed_text(kHalf);
  EXPECT_EQ(png_text(with(half + half), "a.png").at(1).second.size(), kHalf);
  expect_mentions(error_of([&] { png_text(with(half + half + compressed_text(1)), "a.png"); }), {"a.png", "too long"});
  expect_mentions(error_of([&] { png_text(with(compressed_text(2 * kHalf + 1)), "a.png"); }), {"a.png", "too long"});
}

TEST(PngText, NamesTheFileThatIsNoPng) {
  const TemporaryFolder folder;
  const std::string png = encode_png(noise(8, 8), {{"a", "b"}});
  std::string flipped = png;
  flipped[45] ^= 4;
  const std::pair<std::string, std::string> cases[] = {
      {"no PNG at all", "not a PNG file"}, {png.substr(0, png.size() - 5), "truncated"}, {flipped, "damaged"}};
  for (const auto& [bytes, problem] : cases) {
    const fs::path path = folder.put("bad.png", bytes);
    expect_mentions(error_of([&] { read_png_text(path); }), {problem, "bad.png"});
  }
}

}  // namespace
}  // namespace uvic::png_test
