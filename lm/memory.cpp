#include "lm/memory.h"

#include "lm/rotary.h"

namespace uvic {
namespace {

// Positions are relative to the start of the current block.
Tensor rotated(const Tensor& x, int64_t first) {
  return rotate(x, rotation(first, x.size(1), x.size(3), x.options()));
}

Tensor joined(const Tensor& before, const Tensor& x) {
  return before.defined() ? at::cat({before, x}, 1) : x;
}

// Keys and values of the FAM stand on the last positions of the block before.
Qkv of_fam(const CogformerLayer& layer, const Tensor& y, int64_t first_query) {
  return {rotated(layer.heads(y, layer.qw), first_query), rotated(layer.heads(y, layer.kw), -y.size(1)),
          layer.heads(y, layer.vw)};
}

void update(const CogformerLayer& layer, LayerMemory& memory, const Qkv& fam, const Tensor& keys,
            const Tensor& values) {
  const Tensor seen = layer.attend({fam.q, at::cat({fam.k, keys}, 1), at::cat({fam.v, values}, 1)}, {});
  // The learned FAM has no content of its own to keep (appendix B.1).
  memory.fam = layer.feed_forward(memory.updated ? memory.fam + seen : seen.to(memory.fam.scalar_type()));
  memory.updated = true;
}

}  // namespace

std::vector<Tensor> climb(const std::vector<CogformerLayer>& layers, const Tensor& fam_embedding) {
  std::vector<Tensor> all{fam_embedding.unsqueeze(0)};
  for (size_t i = 0; i + 1 < layers.size(); ++i) {
    const Tensor& f = all.back();
    const Qkv fam = of_fam(layers[i], layers[i].attention_norm(f), -f.size(1));
    all.push_back(layers[i].feed_forward(f + layers[i].attend(fam, {})));
  }
  return all;
}

Tensor attend_with_memory(const CogformerLayer& layer, const MemoryConfig& config, const Tensor& x, int64_t in_block,
                          LayerMemory& memory) {
  const Tensor y = layer.attention_norm(x);
  const int64_t count = x.size(1), own = in_block + count;
  TORCH_CHECK(own <= config.block, "a piece goes beyond its block: ", own, " tokens of ", config.block);
  memory.keys = joined(memory.keys, layer.heads(y, layer.kw));
  memory.values = joined(memory.values, layer.heads(y, layer.vw));
  const int64_t segments = memory.keys.size(1) - own;
  Tensor keys = rotated(memory.keys, -segments), values = memory.values;
  const Tensor block_keys = keys.narrow(1, segments, own), block_values = values.narrow(1, segments, own);

  Qkv fam;
  if (memory.fam.defined()) {
    fam = of_fam(layer, layer.attention_norm(memory.fam), config.block - memory.fam.size(1));
    keys = at::cat({fam.k, keys}, 1), values = at::cat({fam.v, values}, 1);
  }
  const Qkv tokens{rotated(layer.heads(y, layer.qw), in_block), keys, values};
  const Tensor out = layer.feed_forward(x + layer.attend(tokens, causal_keys(count, keys.size(1))));
  if (own < config.block) return out;

  if (memory.fam.defined()) update(layer, memory, fam, block_keys, block_values);
  const auto last_segments = [&](const Tensor& all) {
    const int64_t kept = std::min(all.size(1), config.segments * config.block);
    const Tensor part = all.narrow(1, all.size(1) - kept, kept);
    return config.stop_gradient ? part.detach() : part;
  };
  memory.keys = last_segments(memory.keys), memory.values = last_segments(memory.values);
  return out;
}

}  // namespace uvic
