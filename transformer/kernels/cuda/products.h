// The two products of attention, for one warp: bfloat16 on tensor cores, float32 in multiply-adds. Both leave the same
// layout of results, so the kernels around them are the same.
#pragma once

#include "transformer/kernels/cuda/tiles.h"

namespace uvic::gpu {

// Working memory of a warp for weights of N columns, free again after a sync. Tensor cores take weights from registers.
template <class T, int N>
constexpr int kScratchBytes = 0;
template <int N>
constexpr int kScratchBytes<float, N> = (kWarpRows * Panel<float, N>::kRowBytes);

// sums += a b^T for 16 rows of a and N rows of b.
template <int N, int D>
UVIC_DEVICE void multiply_rows(Tile<N>& sums, const Panel<Bf16, D>& a, const Panel<Bf16, D>& b) {
  const int lane = lane_index();
  const Bf16* left = a.row(lane % 16) + lane / 16 * 8;
  const Bf16* right = b.row(lane % 8 + lane / 16 * 8) + lane / 8 % 2 * 8;
  UVIC_UNROLL
  for (int k = 0; k < D; k += 16) {
    uint32_t a_part[4];
    load_matrices(a_part, left + k);
    UVIC_UNROLL
    for (int n = 0; n < N; n += 16) {
      uint32_t b_part[4];
      load_matrices(b_part, right + n * Panel<Bf16, D>::kStride + k);
      multiply_add(sums.at[n / 8], a_part, b_part[0], b_part[1]);
      multiply_add(sums.at[n / 8 + 1], a_part, b_part[2], b_part[3]);
    }
  }
}

// sums += weights b for N rows of b.
template <int N, int D>
UVIC_DEVICE void multiply_weights(Tile<D>& sums, const Tile<N>& weights, const Panel<Bf16, D>& b, char*) {
  const int lane = lane_index();
  const Bf16* right = b.row(lane % 16) + lane / 16 * 8;
  UVIC_UNROLL
  for (int n = 0; n < N; n += 16) {
    const float(&low)[4] = weights.at[n / 8], (&high)[4] = weights.at[n / 8 + 1];
    const uint32_t a_part[4] = {pack(low[0], low[1]), pack(low[2], low[3]), pack(high[0], high[1]),
                                pack(high[2], high[3])};
    UVIC_UNROLL
    for (int d = 0; d < D; d += 16) {
      uint32_t b_part[4];
      load_transposed(b_part, right + n * Panel<Bf16, D>::kStride + d);
      multiply_add(sums.at[d / 8], a_part, b_part[0], b_part[1]);
      multiply_add(sums.at[d / 8 + 1], a_part, b_part[2], b_part[3]);
    }
  }
}

template <int N, int D>
UVIC_DEVICE void multiply_rows(Tile<N>& sums, const Panel<float, D>& a, const Panel<float, D>& b) {
  const auto piece = [](const float* at) { return *reinterpret_cast<const Piece*>(at); };
  const int column = 2 * (lane_index() % 4);
  for (int k = 0; k < D; k += 4) {
    const Piece left[2] = {piece(a.row(tile_row(0)) + k), piece(a.row(tile_row(1)) + k)};
    UVIC_UNROLL
    for (int j = 0; j < N / 8; ++j) {
      const Piece right[2] = {piece(b.row(8 * j + column) + k), piece(b.row(8 * j + column + 1) + k)};
      UVIC_UNROLL
      for (int c = 0; c < 4; ++c) {
        UVIC_UNROLL
        for (int i = 0; i < 4; ++i) sums.at[j][i] += left[i / 2].at[c] * right[i % 2].at[c];
      }
    }
  }
}

template <int N, int D>
UVIC_DEVICE void multiply_weights(Tile<D>& sums, const Tile<N>& weights, const Panel<float, D>& b, char* scratch) {
  const Panel<float, N> rows{reinterpret_cast<float*>(scratch)};
  const int column = 2 * (lane_index() % 4);
  UVIC_UNROLL
  for (int j = 0; j < N / 8; ++j) {
    store_pair(rows.row(tile_row(0)) + 8 * j + column, weights.at[j][0], weights.at[j][1]);
    store_pair(rows.row(tile_row(1)) + 8 * j + column, weights.at[j][2], weights.at[j][3]);
  }
  sync_warp();
  for (int n = 0; n < N; n += 4) {
    const Piece left[2] = {*reinterpret_cast<const Piece*>(rows.row(tile_row(0)) + n),
                           *reinterpret_cast<const Piece*>(rows.row(tile_row(1)) + n)};
    UVIC_UNROLL
    for (int c = 0; c < 4; ++c) {
      const float* row = b.row(n + c) + column;
      UVIC_UNROLL
      for (int j = 0; j < D / 8; ++j) {
        const Pair right = *reinterpret_cast<const Pair*>(row + 8 * j);
        UVIC_UNROLL
        for (int i = 0; i < 4; ++i) sums.at[j][i] += left[i / 2].at[c] * right.at[i % 2];
      }
    }
  }
}

}  // namespace uvic::gpu
