// Which keys each query of attention sees.
#pragma once

#include "core/tensor.h"

namespace uvic {

// The first `prefix` keys, and those of an interval of its own: first <= key < last. What lies outside of the keys
// there are is cut off.
struct VisibleKeys {
  int64_t prefix = 0;
  Tensor first = {}, last = {};  // [B or 1, queries] of whole numbers; both undefined: all keys
};

// Of the last `queries` of `keys` tokens each sees those up to itself.
VisibleKeys causal_keys(int64_t queries, int64_t keys);

// Every query of image b sees the first lengths[b] ([B]) keys.
VisibleKeys first_keys(const Tensor& lengths, int64_t queries);

// Each token sees those of its document up to itself; `begins` [B, L] bool says where one begins. What comes before the
// first of them is a document, too.
VisibleKeys document_keys(const Tensor& begins);

// Block sliding window attention (arXiv 2404.09173): in blocks of `block` tokens each sees its own up to itself and the
// `segments` whole ones before.
VisibleKeys block_window_keys(int64_t length, int64_t block, int64_t segments);

// The same without an order, for pictures: its own block and so many before, with `both_sides` and behind, and the
// first `prefix` tokens, which stand before all blocks and see everything.
VisibleKeys block_window_keys(int64_t length, int64_t block, int64_t segments, int64_t prefix, bool both_sides);

// As kernels take them: int32 and contiguous on that device, prefix <= first <= last <= keys, [B or 1, queries];
// undefined where all keys are seen. Error if they are not of that many queries and images.
VisibleKeys checked(const VisibleKeys& keys, int64_t batch, int64_t queries, int64_t count, at::Device device);

// [B or 1, queries, keys] bool; undefined: all of them.
Tensor dense_mask(const VisibleKeys& keys, int64_t count, at::Device device);

}  // namespace uvic
