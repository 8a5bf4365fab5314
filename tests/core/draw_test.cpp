#include <gtest/gtest.h>

#include "core/image/image.h"

namespace uvic::draw_test {
namespace {

Tensor plain(int64_t height, int64_t width, int value) {
  return at::full({height, width, 3}, value, at::kByte);
}

// The part of a grid from row `y`, column `x`.
Tensor part(const Tensor& grid, int64_t y, int64_t x, int64_t height, int64_t width) {
  return grid.narrow(0, y, height).narrow(1, x, width);
}

bool is_blank(const Tensor& pixels) {
  return pixels.eq(255).all().item<bool>();
}

TEST(MakeGrid, PlacesTilesRowByRow) {
  std::vector<Tensor> images;
  for (int i = 0; i < 5; ++i) images.push_back(plain(4, 6, 10 * i));
  const Tensor grid = make_grid(images, {}, {});  // 3 columns, 2 rows, 2 pixels between
  ASSERT_EQ(grid.sizes(), (std::vector<int64_t>{2 + 2 * (4 + 2), 2 + 3 * (6 + 2), 3}));
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_TRUE(at::equal(part(grid, 2 + i / 3 * 6, 2 + i % 3 * 8, 4, 6), images[i])) << i;
  EXPECT_TRUE(is_blank(part(grid, 8, 18, 6, 8)));
  EXPECT_TRUE(is_blank(grid.narrow(1, 0, 2)));
}

TEST(MakeGrid, ObeysColumnsAndPadding) {
  const std::vector<Tensor> images(4, plain(3, 3, 0));
  EXPECT_EQ(make_grid(images, {}, {.columns = 4, .pad = 0}).sizes(), (std::vector<int64_t>{3, 12, 3}));
  EXPECT_EQ(make_grid(images, {}, {.columns = 9, .pad = 1}).sizes(), (std::vector<int64_t>{5, 17, 3}));
}

TEST(MakeGrid, EnlargesByAWholeFactor) {
  at::manual_seed(1);
  const Tensor image = at::randint(256, {2, 3, 3}, at::kByte);
  const Tensor grid = make_grid({image}, {}, {.pad = 0, .min_tile = 7});  // 3 x 3 = 9 pixels wide
  ASSERT_EQ(grid.sizes(), (std::vector<int64_t>{6, 9, 3}));
  for (int64_t y = 0; y < 6; ++y)
    for (int64_t x = 0; x < 9; ++x) EXPECT_TRUE(at::equal(grid[y][x], image[y / 3][x / 3]));
}

TEST(MakeGrid, WritesEachCaptionBelowItsTile) {
  const std::vector<Tensor> images(3, plain(32, 32, 100));
  const std::string caption =
      "a red circle above a blue square on a white background and averyveryveryverylongwordindeed";
  const Tensor grid = make_grid(images, {caption, "", "short"}, {.columns = 3});
  const int64_t tile = 128, text = grid.size(0) - 2 - tile - 2;
  ASSERT_EQ(grid.size(1), 2 + 3 * (tile + 2));
  EXPECT_GE(text, 3 * 16);
  EXPECT_FALSE(is_blank(part(grid, 2 + tile, 2, text, tile)));
  EXPECT_TRUE(is_blank(part(grid, 2 + tile, 2 + tile, text, tile + 4)));  // nothing leaks into the tile without caption
  EXPECT_FALSE(is_blank(part(grid, 2 + tile, 2 + 2 * (tile + 2), 16, tile)));
  EXPECT_TRUE(is_blank(part(grid, 2 + tile + 20, 2 + 2 * (tile + 2), text - 20, tile)));  // one line
  EXPECT_FALSE(is_blank(part(grid, 2 + tile + text - 20, 2, 16, tile)));                  // the last of many
}

TEST(MakeGrid, CutsEndlessCaptions) {
  std::string endless;
  for (int i = 0; i < 500; ++i) endless += "word ";
  const Tensor grid = make_grid({plain(128, 128, 0)}, {endless}, {.pad = 0});
  EXPECT_LT(grid.size(0), 128 + 10 * 16);
  EXPECT_EQ(grid.size(1), 128);
}

}  // namespace
}  // namespace uvic::draw_test
