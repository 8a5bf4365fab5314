// Rows in shared memory and tiles in registers: what kernels multiply and add up.
//
// A block of threads owns kBlockRows rows of a head, a warp kWarpRows of them.
#pragma once

#include "transformer/kernels/cuda/arguments.h"
#include "transformer/kernels/cuda/machine.h"

namespace uvic::gpu {

constexpr int kWarpRows = 16, kBlockRows = kWarps * kWarpRows;

// What one lane moves at once.
struct alignas(16) Piece {
  float at[4];
};

struct alignas(8) Pair {
  float at[2];
};

UVIC_DEVICE float to_float(float x) {
  return x;
}

UVIC_DEVICE float to_float(Bf16 x) {
  union {
    uint32_t bits;
    float value;
  } wide = {static_cast<uint32_t>(x.bits) << 16};
  return wide.value;
}

UVIC_DEVICE void store_pair(float* to, float x, float y) {
  *reinterpret_cast<Pair*>(to) = {{x, y}};
}

UVIC_DEVICE void store_pair(Bf16* to, float x, float y) {
  *reinterpret_cast<uint32_t*>(to) = pack(x, y);
}

// 16 x N numbers of one warp in float32, as tensor cores leave them: a lane holds rows lane / 4 and lane / 4 + 8, of
// these columns 8 j + 2 (lane % 4) + {0, 1}.
template <int N>
struct Tile {
  float at[N / 8][4];

  // f(value, half, column): in the first or second of the lane's two rows.
  template <class Function>
  UVIC_DEVICE void each(const Function& f) {
    const int column = 2 * (lane_index() % 4);
    UVIC_UNROLL
    for (int j = 0; j < N / 8; ++j) {
      UVIC_UNROLL
      for (int i = 0; i < 4; ++i) f(at[j][i], i / 2, 8 * j + column + i % 2);
    }
  }
};

UVIC_DEVICE int tile_row(int half) {
  return lane_index() / 4 + 8 * half;
}

// Rows of D numbers in shared memory, with a gap of 16 bytes so that eight of them begin in different banks.
template <class T, int D>
struct Panel {
  static constexpr int kStride = D + 16 / static_cast<int>(sizeof(T));
  static constexpr int kPieces = D * static_cast<int>(sizeof(T)) / 16;  // of a row
  static constexpr int kRowBytes = kStride * static_cast<int>(sizeof(T));
  T* first;

  UVIC_DEVICE T* row(int r) const { return first + r * kStride; }
  UVIC_DEVICE Panel from(int r) const { return {row(r)}; }
};

// Rows of a head in global memory.
template <class T>
struct Rows {
  T* first;
  int64_t stride;

  UVIC_DEVICE T* row(int r) const { return first + r * stride; }
};

// Begins to copy the rows from..from + N to a panel, all threads of the block together; rows from `end` on become
// zeros.
template <int N, class T, int D>
UVIC_DEVICE void load_rows(const Panel<T, D>& to, const Rows<const T>& rows, int from, int end) {
  constexpr int kPieces = Panel<T, D>::kPieces, kWidth = D / kPieces;
  for (int i = thread_index(); i < N * kPieces; i += kThreads) {
    const int row = i / kPieces, column = i % kPieces * kWidth;
    const bool valid = from + row < end;
    copy_async(to.row(row) + column, rows.row(valid ? from + row : 0) + column, valid);
  }
}

// Writes a warp's tile, its rows times `factor`, to the rows from..end, by way of rows of shared memory that no other
// warp uses, so that whole sectors are written.
template <class T, int D>
UVIC_DEVICE void store_rows(const Rows<T>& rows, int from, int end, const Tile<D>& tile, const float (&factor)[2],
                            const Panel<T, D>& panel) {
  constexpr int kPieces = Panel<T, D>::kPieces, kWidth = D / kPieces;
  UVIC_UNROLL
  for (int j = 0; j < D / 8; ++j) {
    UVIC_UNROLL
    for (int half = 0; half < 2; ++half)
      store_pair(panel.row(tile_row(half)) + 8 * j + 2 * (lane_index() % 4), tile.at[j][2 * half] * factor[half],
                 tile.at[j][2 * half + 1] * factor[half]);
  }
  sync_warp();
  for (int i = lane_index(); i < kWarpRows * kPieces; i += 32) {
    const int row = i / kPieces, column = i % kPieces * kWidth;
    if (from + row < end)
      *reinterpret_cast<Piece*>(rows.row(from + row) + column) =
          *reinterpret_cast<const Piece*>(panel.row(row) + column);
  }
  sync_warp();
}

}  // namespace uvic::gpu
