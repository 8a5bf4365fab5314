// float32 matrix products on bfloat16 tiles.
//
// A float32 is the sum of three bfloat16, x0 + x1 + x2, each the nearest to what is left, since 3 x 8 bits are its 24.
// Of the nine products of the parts of two numbers, the three smallest are below the rounding of a float32, and the
// others are added in float32, as a chain of multiply-adds would. Six tile products take less time than the vector unit
// does with one. Infinity and what rounds to it in bfloat16 become NaN; parts below 2^-126 are lost.
#pragma once

#include "transformer/kernels/product_kernels.h"
#include "transformer/kernels/simd/tiles.h"

namespace uvic {
namespace {

#if defined(__AMX_BF16__)

constexpr int kParts = 3;

// A's rows and B's columns are packed in panels of two tiles. A panel is a sequence of blocks along the summed
// dimension; a block is its parts one after the other, for each the two tiles.
constexpr int64_t kSide = kPanelColumns, kTileElements = kLanes * kBlockDepth;
constexpr int64_t kPartElements = 2 * kTileElements, kBlockElements = kParts * kPartElements;

// Rows of A and depth that are packed at once, and stay in the L2 cache for all columns.
constexpr int64_t kRowsAtOnce = 256, kBlocksAtOnce = 16;

// The two dimensions of a factor: A's rows or B's columns, and the summed one.
struct Factor {
  const float* data;
  int64_t stride, depth_stride;
  int64_t count, depth;
};

inline void split(Vec x, HalfVec (&parts)[kParts]) {
  for (HalfVec& part : parts) {
    part = to_bf16(x);
    x -= to_floats(part);
  }
}

// A tile's rows for each part: where the depth is contiguous 32 neighbours along it of one row (column), else the pairs
// of two neighbours along it of 16 rows (columns).
struct TileRow {
  Vec parts[kParts];
};

inline TileRow along_depth(const Factor& x, int64_t row, int64_t depth) {
  const float* from = x.data + row * x.stride + depth;
  const int64_t count = row < x.count ? x.depth - depth : 0;
  HalfVec low[kParts], high[kParts];
  split(load_floats(from, count), low);
  split(load_floats(from + kLanes, count - kLanes), high);
  TileRow tile;
  for (int p = 0; p < kParts; ++p) {
    store(&tile.parts[p], low[p]);
    store(reinterpret_cast<char*>(&tile.parts[p]) + sizeof(HalfVec), high[p]);
  }
  return tile;
}

inline TileRow pairs_of_rows(const Factor& x, int64_t row, int64_t depth) {
  const float* from = x.data + depth * x.depth_stride + row;
  HalfVec even[kParts], odd[kParts];
  split(load_floats(from, depth < x.depth ? x.count - row : 0), even);
  split(load_floats(from + x.depth_stride, depth + 1 < x.depth ? x.count - row : 0), odd);
  TileRow tile;
  for (int p = 0; p < kParts; ++p) tile.parts[p] = pair_up(even[p], odd[p]);
  return tile;
}

// One tile of each part. A's tiles have a vector for each row, B's for each pair.
template <bool kIsA>
void pack_tile(const Factor& x, int64_t row, int64_t depth, Bf16* to) {
  const bool by_row = x.depth_stride == 1;
  Vec tiles[kParts][kLanes];
  for (int64_t r = 0; r < kLanes; ++r) {
    const TileRow tile = by_row ? along_depth(x, row + r, depth) : pairs_of_rows(x, row, depth + 2 * r);
    for (int p = 0; p < kParts; ++p) tiles[p][r] = tile.parts[p];
  }
  for (int p = 0; p < kParts; ++p) {
    if (by_row != kIsA) transpose(tiles[p]);
    for (int64_t r = 0; r < kLanes; ++r) store(to + p * kPartElements + r * kBlockDepth, tiles[p][r]);
  }
}

// The rows first..last and blocks first_block..last_block of a factor, in the order in which it lies in memory. Panels
// are `panel` elements apart.
template <bool kIsA>
void pack_factor(const Factor& x, int64_t first, int64_t last, int64_t first_block, int64_t last_block, int64_t panel,
                 Bf16* to) {
  const auto pack_block = [&](int64_t row, int64_t block) {
    if (x.depth_stride != 1)  // rows far apart, of which the hardware does not foresee the next
      for (int64_t k = (block + 1) * kBlockDepth; k < (block + 2) * kBlockDepth; ++k)
        prefetch_row<0>(x.data + k * x.depth_stride + row, kSide);
    Bf16* const at = to + (row - first) / kSide * panel + (block - first_block) * kBlockElements;
    pack_tile<kIsA>(x, row, block * kBlockDepth, at);
    pack_tile<kIsA>(x, row + kLanes, block * kBlockDepth, at + kTileElements);
  };
  if (x.depth_stride == 1)
    for (int64_t row = first; row < last; row += kSide)
      for (int64_t block = first_block; block < last_block; ++block) pack_block(row, block);
  else
    for (int64_t block = first_block; block < last_block; ++block)
      for (int64_t row = first; row < last; row += kSide) pack_block(row, block);
}

inline int64_t blocks_of(const ProductShape& shape) {
  return (shape.depth + kBlockDepth - 1) / kBlockDepth;
}

inline void pack_b(const ProductShape& shape, const Strided& b, int64_t first_panel, int64_t last_panel, void* to) {
  const int64_t blocks = blocks_of(shape), panel = blocks * kBlockElements;
  pack_factor<false>({b.data, b.column_stride, b.row_stride, shape.columns, shape.depth}, first_panel * kSide,
                     last_panel * kSide, 0, blocks, panel, static_cast<Bf16*>(to) + first_panel * panel);
}

// 32 x 32 numbers of C. Each product of parts shares a factor with the one before, whose tiles stay.
inline void multiply_panels(const Bf16* a, const Bf16* b, int64_t blocks, float* c) {
  constexpr int64_t kRowBytes = 2 * kBlockDepth, kStride = 4 * kSide;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t k = 0; k < blocks; ++k, a += kBlockElements, b += kBlockElements) {
    const auto load_a = [&](int64_t part) {
      _tile_loadd(4, a + part * kPartElements, kRowBytes);
      _tile_loadd(5, a + part * kPartElements + kTileElements, kRowBytes);
    };
    const auto load_b = [&](int64_t part) {
      _tile_loadd(6, b + part * kPartElements, kRowBytes);
      _tile_loadd(7, b + part * kPartElements + kTileElements, kRowBytes);
    };
    const auto multiply = [] {
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    };
    load_a(2), load_b(0), multiply();
    load_a(1), multiply();
    load_b(1), multiply();
    load_a(0), multiply();
    load_b(2), multiply();
    load_b(0), multiply();
  }
  _tile_stored(0, c, kStride);
  _tile_stored(1, c + kLanes, kStride);
  _tile_stored(2, c + kLanes * kSide, kStride);
  _tile_stored(3, c + kLanes * kSide + kLanes, kStride);
}

// The sums of each kBlocksAtOnce blocks are added up in the vector unit: shorter chains, so smaller rounding errors.
inline void multiply_split(const ProductShape& shape, const Strided& a, const void* packed_b, const float* bias,
                           float* c, int64_t first_row, int64_t last_row, void* workspace) {
  const TileScope tiles;
  const Factor factor{a.data, a.row_stride, a.column_stride, shape.rows, shape.depth};
  const int64_t blocks = blocks_of(shape), panel = blocks * kBlockElements;
  Bf16* const packed_a = static_cast<Bf16*>(workspace);
  alignas(64) float square[kSide * kSide];
  for (int64_t rows = first_row; rows < last_row; rows += kRowsAtOnce) {
    const int64_t rows_end = smaller(rows + kRowsAtOnce, last_row);
    for (int64_t block = 0; block < blocks; block += kBlocksAtOnce) {
      const int64_t count = smaller(kBlocksAtOnce, blocks - block);
      pack_factor<true>(factor, rows, rows_end, block, block + count, count * kBlockElements, packed_a);
      for (int64_t column = 0; column < shape.columns; column += kSide)
        for (int64_t row = rows; row < rows_end; row += kSide) {
          const Bf16* left = packed_a + (row - rows) / kSide * count * kBlockElements;
          const Bf16* right = static_cast<const Bf16*>(packed_b) + column / kSide * panel + block * kBlockElements;
          order_memory(left);
          multiply_panels(left, right, count, square);
          order_memory(square);
          const int64_t height = smaller(kSide, rows_end - row), width = smaller(kSide, shape.columns - column);
          for (int64_t r = 0; r < height; ++r)
            for (int64_t i = 0; i < width; i += kLanes) {
              float* const to = c + (row + r) * shape.columns + column + i;
              Vec sum = load(square + r * kSide + i);
              if (block > 0)
                sum += load_floats(to, width - i);
              else if (bias)
                sum += load_floats(bias + column + i, width - i);
              store_floats(to, sum, width - i);
            }
        }
    }
  }
}

constexpr ProductKernels kSplitProducts = {kBlockElements * 2, pack_b,
                                           kRowsAtOnce* kBlocksAtOnce* kBlockDepth* kParts * 2, multiply_split};
constexpr const ProductKernels* kProducts = &kSplitProducts;

#else

constexpr const ProductKernels* kProducts = nullptr;

#endif

}  // namespace
}  // namespace uvic
