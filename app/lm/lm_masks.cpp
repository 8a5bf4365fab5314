// uvic lm masks
#include <filesystem>
#include <memory>

#include "app/cli/results.h"
#include "app/lm/lm_commands.h"
#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "transformer/visible_keys.h"

namespace uvic {
namespace {

constexpr int64_t kTokens = 24, kBlock = 6, kFam = 2, kExtras = 2, kSide = 240;

enum class Cell : int64_t { kHidden, kSeen, kOfFam, kByFam };
constexpr uint8_t kColours[][3] = {{238, 238, 238}, {52, 101, 164}, {204, 92, 20}, {78, 154, 6}};

struct MaskPicture {
  std::string title;
  Tensor cells;  // [queries, keys] of Cell
};

Tensor cells_of(const VisibleKeys& keys) {
  return dense_mask(keys, kTokens, at::kCPU).squeeze(0).to(at::kLong) * static_cast<int64_t>(Cell::kSeen);
}

// Blocks of tokens with the FAM that each of them leaves behind it, in the order of their computing; `before` segments.
Tensor cells_of_fam(int64_t before) {
  const int64_t blocks = kTokens / kBlock, step = kBlock + kFam, all = kFam + blocks * step;
  Tensor cells = at::zeros({all, all}, at::kLong);
  const auto fill = [&](int64_t query, int64_t queries, int64_t key, int64_t keys, Cell cell) {
    cells.narrow(0, query, queries).narrow(1, key, keys).fill_(static_cast<int64_t>(cell));
  };
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t fam = b * step, tokens = fam + kFam, next = tokens + kBlock;  // where they begin
    fill(tokens, kBlock, fam, kFam, Cell::kOfFam);
    for (int64_t back = 1; back <= std::min(before, b); ++back)
      fill(tokens, kBlock, tokens - back * step, kBlock, Cell::kSeen);
    for (int64_t i = 0; i < kBlock; ++i) fill(tokens + i, 1, tokens, i + 1, Cell::kSeen);
    fill(next, kFam, fam, kFam + kBlock, Cell::kByFam);
  }
  return cells;
}

std::vector<MaskPicture> mask_pictures() {
  Tensor begins = at::zeros({1, kTokens}, at::kBool);
  for (const int64_t begin : {0, 7, 12}) begins.select(1, begin).fill_(true);
  const auto image = [](bool both) { return cells_of(block_window_keys(kTokens, kBlock, 1, kExtras, both)); };
  return {{"causal", cells_of(causal_keys(kTokens, kTokens))},
          {"documents", cells_of(document_keys(begins))},
          {"bswa, segments 0", cells_of(block_window_keys(kTokens, kBlock, 0))},
          {"bswa, segments 1", cells_of(block_window_keys(kTokens, kBlock, 1))},
          {"fam, segments 0", cells_of_fam(0)},
          {"fam, segments 1", cells_of_fam(1)},
          {"picture, window past", image(false)},
          {"picture, window both", image(true)}};
}

// [H, W, 3] uint8, lines between the cells.
Tensor draw_mask(const Tensor& cells) {
  const Tensor colours = at::tensor(at::ArrayRef<uint8_t>(&kColours[0][0], sizeof(kColours))).view({-1, 3});
  Tensor pixels = colours.index_select(0, cells.flatten()).view({cells.size(0), cells.size(1), 3});
  const int64_t cell = kSide / cells.size(0);
  pixels = pixels.repeat_interleave(cell, 0).repeat_interleave(cell, 1).contiguous();
  const auto line = [&](int64_t dim) {
    for (int64_t i = cell - 1; i < pixels.size(dim); i += cell) pixels.select(dim, i).fill_(255);
  };
  line(0);
  line(1);
  return pixels;
}

void draw_masks(const std::filesystem::path& out) {
  if (lower_extension(out) != ".png") fail("'{}': name a .png file", out.string());
  std::vector<Tensor> images;
  std::vector<std::string> titles;
  for (const MaskPicture& picture : mask_pictures()) {
    const Tensor image = draw_mask(picture.cells);
    const int64_t more = kSide - image.size(0);
    images.push_back(at::constant_pad_nd(image, {0, 0, 0, more, 0, more}, 255));
    titles.push_back(picture.title);
  }
  write_atomically(out, encode_png(make_grid(images, titles, {.columns = 4, .pad = 6, .min_tile = 0})));
  print_file(out);
}

}  // namespace

void add_lm_masks(CLI::App& lm) {
  CLI::App* sub = lm.add_subcommand("masks", "draw what queries (down) see of keys (across) in each kind of memory");
  auto out = std::make_shared<std::string>("masks.png");
  sub->add_option("--out", *out, "a .png file")->capture_default_str();
  sub->callback([out] { draw_masks(*out); });
}

}  // namespace uvic
