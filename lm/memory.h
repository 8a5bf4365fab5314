// Memory of a decoder that reads text of any length: block sliding window attention and feedback attention memory (FAM,
// arXiv 2404.09173), block by block.
#pragma once

#include <vector>

#include "lm/layer.h"
#include "lm/rotary.h"

namespace uvic {

struct MemoryConfig {
  int64_t block = 0;           // tokens of a block; 0: no memory
  int64_t segments = 0;        // whole blocks before its own that a token sees
  int64_t fam_length = 0;      // vectors of the feedback memory of a layer; 0: a sliding window only
  bool stop_gradient = false;  // none flows into keys and values of earlier blocks
};

// What a layer keeps between pieces of a text.
struct LayerMemory {
  // [B, F, dim], of the blocks before this one; undefined: none. In float32 at least: it grows with every block by
  // about the same, which bfloat16 would lose after some hundred.
  Tensor fam;
  bool updated = false;  // it holds a block already, or was carried over from another text: then it is added to
  // Not rotated, [B, N, H, D]: memory segments, then the tokens of the current block so far.
  Tensor keys, values;
};

// Of the FAM [B, F, dim] as a layer's rows, at these positions.
Qkv project_fam(const CogformerLayer& layer, const Tensor& fam, const Rotation& queries, const Rotation& keys);

// Takes a whole block up into the FAM, by its keys, rotated, and values.
void update_fam(const CogformerLayer& layer, LayerMemory& memory, const Qkv& fam, const Tensor& keys,
                const Tensor& values);

// The learned FAM [F, dim] on its way up through the layers: as each of them finds it before the first block.
std::vector<Tensor> climb(const std::vector<CogformerLayer>& layers, const Tensor& fam_embedding);

// Where a piece of a text and the FAM stand, relative to the start of the current block, and what the piece sees: the
// same in every layer.
struct MemoryPlaces {
  int64_t own = 0;                 // tokens of the current block with the piece
  Rotation keys, queries;          // of segments and own tokens; of the piece
  Rotation fam_keys, fam_queries;  // if there is one
  VisibleKeys visible;             // of FAM, segments and own tokens
};

// For `count` tokens behind `in_block` of the current block and `kept` of the segments; a FAM of that length; 0: none.
MemoryPlaces memory_places(const MemoryConfig& config, int64_t kept, int64_t in_block, int64_t count,
                           int64_t fam_length, int64_t head_dim, const at::TensorOptions& options);

// A layer's output rows of the next tokens x [B, n, dim], which all lie in the current block (Algorithm 2; the FAM
// looks at whole blocks, as the paper's text and figures say). When they fill it, the FAM takes it up and the oldest
// segment goes.
Tensor attend_with_memory(const CogformerLayer& layer, const MemoryConfig& config, const Tensor& x,
                          const MemoryPlaces& places, LayerMemory& memory);

// Where whole texts of that many tokens stand, and FAM: positions -F .. length - 1.
struct TextPlaces {
  int64_t blocks = 0, full = 0;  // with the last, which may be short; without it then
  Rotation turns;
  VisibleKeys visible;  // of each block [blocks, block]: FAM, segments and own tokens
};
TextPlaces text_places(const MemoryConfig& config, int64_t length, int64_t fam_length, int64_t head_dim,
                       const at::TensorOptions& options);

// A layer's output rows of whole texts x [B, blocks block, dim], filled up behind their end: the same numbers as block
// by block, in another order. Only the FAM goes from block to block, by F rows each; all tokens are computed at once.
// `memory` has the FAM to begin with, and then that after the last full block.
Tensor attend_to_text(const CogformerLayer& layer, const MemoryConfig& config, const Tensor& x,
                      const TextPlaces& places, LayerMemory& memory);

}  // namespace uvic
