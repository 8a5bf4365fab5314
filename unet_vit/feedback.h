// Feedback attention memory in a U-ViT: F vectors that go from block to block of the patches, in raster order, and from
// one block of the network into the next (arXiv 2404.09173 describes it for text; how it goes into a picture is our
// choice).
//
// A patch of block b sees the extra tokens in front of all patches, the blocks of its window, and the memory as it was
// before block b. The memory then attends to the extra tokens, itself and block b, and is added to and passed through
// the MLP as a token is, with the weights of tokens. Extra tokens see all tokens and not the memory.
#pragma once

#include <vector>

#include "transformer/block.h"

namespace uvic {

struct FeedbackSizes {
  int64_t extras, patches;  // tokens
  int64_t block, segments;  // patches of a block; blocks beside its own that a patch sees
  bool both_sides;          // before and behind its own, else before it
  int64_t fam_length;       // vectors of the memory
};

// How the tokens are cut, and what the patches see.
struct FeedbackMemory {
  int64_t length = 0, fam_length = 0;  // tokens; vectors
  std::vector<int64_t> parts;          // tokens of each part: the extra ones, then each block
  struct Window {
    size_t first, last;  // parts
  };
  std::vector<Window> windows;  // of each block
  VisibleKeys visible;          // of the patches, among the extra tokens and, block after block, the memory and window
};
FeedbackMemory make_feedback_memory(const FeedbackSizes& sizes);

// A block of the network on rows [B, L + F, D], tokens and memory, each as it comes in -> as it leaves; skip likewise.
// The time grows as the number of patches. In the first block of the network the learned memory has no content of its
// own to keep, so it is not added to (appendix B.1 of the paper). The memory is kept in float32 at least: it grows with
// every block of patches by about the same, which bfloat16 would lose after some hundred.
Tensor with_feedback(const Block& block, const FeedbackMemory& memory, const Tensor& rows, const Tensor& skip,
                     bool is_first);

}  // namespace uvic
