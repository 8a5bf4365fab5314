#include "lm/memory.h"

namespace uvic {
namespace {

Tensor joined(const Tensor& before, const Tensor& x) {
  return before.defined() ? at::cat({before, x}, 1) : x;
}

}  // namespace

Qkv project_fam(const CogformerLayer& layer, const Tensor& fam, const Rotation& queries, const Rotation& keys) {
  const Tensor y = rms_norm(fam, layer.attention_norm);
  return {rotate(layer.heads(y, layer.qw), queries), rotate(layer.heads(y, layer.kw), keys), layer.heads(y, layer.vw)};
}

void update_fam(const CogformerLayer& layer, LayerMemory& memory, const Qkv& fam, const Tensor& keys,
                const Tensor& values) {
  const Tensor seen = layer.attend({fam.q, at::cat({fam.k, keys}, 1), at::cat({fam.v, values}, 1)}, {});
  // The learned FAM has no content of its own to keep (appendix B.1).
  memory.fam = layer.feed_forward(memory.updated ? memory.fam + seen : seen.to(memory.fam.scalar_type()));
  memory.updated = true;
}

std::vector<Tensor> climb(const std::vector<CogformerLayer>& layers, const Tensor& fam_embedding) {
  std::vector<Tensor> all{fam_embedding.unsqueeze(0)};
  const int64_t length = fam_embedding.size(0);
  const Rotation turn = rotation(-length, length, layers.front().head_dim, fam_embedding.options());
  for (size_t i = 0; i + 1 < layers.size(); ++i) {
    const Tensor& f = all.back();
    all.push_back(layers[i].feed_forward(f + layers[i].attend(project_fam(layers[i], f, turn, turn), {})));
  }
  return all;
}

MemoryPlaces memory_places(const MemoryConfig& config, int64_t kept, int64_t in_block, int64_t count,
                           int64_t fam_length, int64_t head_dim, const at::TensorOptions& options) {
  const auto turn = [&](int64_t first, int64_t length) { return rotation(first, length, head_dim, options); };
  const int64_t own = in_block + count;
  TORCH_CHECK(own <= config.block, "a piece goes beyond its block: ", own, " tokens of ", config.block);
  return {.own = own,
          .keys = turn(-kept, kept + own),
          .queries = turn(in_block, count),
          .fam_keys = turn(-fam_length, fam_length),  // the last positions of the block before
          .fam_queries = turn(config.block - fam_length, fam_length),
          .visible = causal_keys(count, fam_length + kept + own)};
}

Tensor attend_with_memory(const CogformerLayer& layer, const MemoryConfig& config, const Tensor& x,
                          const MemoryPlaces& places, LayerMemory& memory) {
  const Tensor y = rms_norm(x, layer.attention_norm);
  memory.keys = joined(memory.keys, layer.heads(y, layer.kw));
  memory.values = joined(memory.values, layer.heads(y, layer.vw));
  const int64_t own = places.own, kept = memory.keys.size(1) - own;
  Tensor keys = rotate(memory.keys, places.keys), values = memory.values;
  const Tensor block_keys = keys.narrow(1, kept, own), block_values = values.narrow(1, kept, own);

  Qkv fam;
  if (memory.fam.defined()) {
    fam = project_fam(layer, memory.fam, places.fam_queries, places.fam_keys);
    keys = at::cat({fam.k, keys}, 1), values = at::cat({fam.v, values}, 1);
  }
  const Qkv tokens{rotate(layer.heads(y, layer.qw), places.queries), keys, values};
  const Tensor out = layer.feed_forward(x + layer.attend(tokens, places.visible));
  if (own < config.block) return out;

  if (memory.fam.defined()) update_fam(layer, memory, fam, block_keys, block_values);
  const auto last_segments = [&](const Tensor& all) {
    const int64_t last = std::min(all.size(1), config.segments * config.block);
    const Tensor part = all.narrow(1, all.size(1) - last, last);
    return config.stop_gradient ? part.detach() : part;
  };
  memory.keys = last_segments(memory.keys), memory.values = last_segments(memory.values);
  return out;
}

}  // namespace uvic
