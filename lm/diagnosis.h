// What the papers on Cog Attention look at in a language model (arXiv 2411.07176; for the collapse of representations
// arXiv 2406.04267).
#pragma once

#include <cstdint>
#include <vector>

#include "lm/cogformer.h"

namespace uvic {

struct LayerDiagnosis {
  double negative = 0;  // share of negative weights among those of visible keys, the token's own weight included
  double sink = 0;  // mean share of a token's absolute weights that its first visible key gets, from the 2nd token on
};
// Of rows [B, L] in causal order, by layer. A model without memory.
std::vector<LayerDiagnosis> diagnose_layers(const Cogformer& net, const Tensor& rows);

// How far the last token's final representation moves when it is written once more, as texts grow: the mean over rows
// [B, L] of max |v(x_1 .. x_n) - v(x_1 .. x_n x_n)|. A model that cannot tell them apart has lost its text.
double representation_difference(const Cogformer& net, const Tensor& rows);

}  // namespace uvic
