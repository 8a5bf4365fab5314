// Image grids with captions.
#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <sstream>

#include "core/image/image.h"

namespace uvic {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kFontScale = 0.4;
constexpr int64_t kLineHeight = 16;     // pixels from one line of text to the next
constexpr int64_t kCaptionWidth = 128;  // tiles with captions are at least this wide
constexpr size_t kMaxLines = 8;
constexpr int kPaper = 255, kInk = 0;

using Lines = std::vector<std::string>;

int64_t text_width(const std::string& text) {
  int baseline = 0;
  return cv::getTextSize(text, kFont, kFontScale, 1, &baseline).width;
}

// The font has ASCII only: any other character becomes one '?'.
std::string drawable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) continue;  // not the first byte of its character
    out.push_back(byte >= 0x80 ? '?' : byte < ' ' ? ' ' : c);
  }
  return out;
}

// Breaks at spaces, and inside a word that alone is wider than `width`.
Lines wrap(const std::string& caption, int64_t width) {
  Lines lines;
  std::istringstream words(drawable(caption));
  for (std::string word; words >> word;) {
    if (!lines.empty() && text_width(lines.back() + ' ' + word) <= width) {
      lines.back() += ' ' + word;
      continue;
    }
    lines.emplace_back();
    for (const char c : word) {
      if (!lines.back().empty() && text_width(lines.back() + c) > width) lines.emplace_back();
      lines.back().push_back(c);
    }
  }
  if (lines.size() > kMaxLines) {
    lines.resize(kMaxLines);
    std::string& last = lines.back();
    while (!last.empty() && text_width(last + "...") > width) last.pop_back();
    last += "...";
  }
  return lines;
}

Tensor enlarged(const Tensor& image, int64_t factor) {
  return factor == 1 ? image : image.repeat_interleave(factor, 0).repeat_interleave(factor, 1);
}

}  // namespace

Tensor make_grid(const std::vector<Tensor>& images, const std::vector<std::string>& captions,
                 const GridOptions& options) {
  TORCH_CHECK(!images.empty(), "make_grid: no images");
  TORCH_CHECK(captions.empty() || captions.size() == images.size(), "make_grid: ", captions.size(), " captions for ",
              images.size(), " images");
  for (const Tensor& image : images)
    TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte &&
                    image.sizes() == images[0].sizes(),
                "make_grid: expected equal [H, W, 3] uint8 images, got ", image.sizes(), " and ", images[0].sizes());

  const auto count = static_cast<int64_t>(images.size());
  const int64_t columns =
      std::min(count, options.columns > 0 ? options.columns : static_cast<int64_t>(std::ceil(std::sqrt(count))));
  const int64_t rows = (count + columns - 1) / columns, pad = options.pad;

  const bool has_captions = std::any_of(captions.begin(), captions.end(), [](const auto& c) { return !c.empty(); });
  const int64_t min_tile = std::max(options.min_tile, has_captions ? kCaptionWidth : 0);
  const int64_t factor = std::max<int64_t>(1, (min_tile + images[0].size(1) - 1) / images[0].size(1));
  const int64_t tile_height = images[0].size(0) * factor, tile_width = images[0].size(1) * factor;

  // Each row of tiles is as high as its longest caption needs.
  std::vector<Lines> texts(images.size());
  std::vector<int64_t> top(rows + 1, pad);
  for (int64_t row = 0; row < rows; ++row) {
    size_t most = 0;
    for (int64_t i = row * columns; has_captions && i < std::min(count, (row + 1) * columns); ++i) {
      texts[i] = wrap(captions[i], tile_width);
      most = std::max(most, texts[i].size());
    }
    const int64_t text_height = most == 0 ? 0 : static_cast<int64_t>(most) * kLineHeight + kLineHeight / 4;
    top[row + 1] = top[row] + tile_height + text_height + pad;
  }

  Tensor grid = at::full({top[rows], pad + columns * (tile_width + pad), 3}, kPaper, at::kByte);
  cv::Mat canvas(static_cast<int>(grid.size(0)), static_cast<int>(grid.size(1)), CV_8UC3, grid.data_ptr());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t y = top[i / columns], x = pad + (i % columns) * (tile_width + pad);
    grid.narrow(0, y, tile_height).narrow(1, x, tile_width).copy_(enlarged(images[i], factor));
    for (size_t line = 0; line < texts[i].size(); ++line) {
      const int64_t baseline = y + tile_height + static_cast<int64_t>(line + 1) * kLineHeight - kLineHeight / 4;
      cv::putText(canvas, texts[i][line], cv::Point(static_cast<int>(x), static_cast<int>(baseline)), kFont, kFontScale,
                  cv::Scalar(kInk, kInk, kInk), 1, cv::LINE_AA);
    }
  }
  return grid;
}

}  // namespace uvic
