// Whole texts through a layer with memory.
#include "lm/memory.h"

namespace uvic {
namespace {

// [B, blocks, block, H, D] of each block and the segments before it, which begin with zeros: [B blocks, (segments + 1)
// block, H, D].
Tensor windows(const Tensor& tokens, const MemoryConfig& config, int64_t blocks) {
  const Tensor own = tokens.unflatten(1, {blocks, config.block});
  std::vector<Tensor> parts;
  for (int64_t back = std::min(config.segments, blocks - 1); back > 0; --back) {
    const Tensor before = own.narrow(1, 0, blocks - back);
    const Tensor none = at::zeros_like(own.narrow(1, 0, back));
    parts.push_back(at::cat({none, config.stop_gradient ? before.detach() : before}, 1));
  }
  parts.push_back(own);
  return at::cat(parts, 2);
}

}  // namespace

TextPlaces text_places(const MemoryConfig& config, int64_t length, int64_t fam_length, int64_t head_dim,
                       const at::TensorOptions& options) {
  const int64_t blocks = (length + config.block - 1) / config.block;
  const int64_t segments = std::min(config.segments, blocks - 1);
  const auto numbers = [](int64_t count) { return at::arange(count, at::kLong); };
  const Tensor missing = (segments - numbers(blocks)).clamp_min(0).unsqueeze(1) * config.block;
  const Tensor own = numbers(config.block).unsqueeze(0) + (fam_length + segments * config.block + 1);
  return {.blocks = blocks,
          .full = length / config.block,
          .turns = rotation(-fam_length, fam_length + blocks * config.block, head_dim, options),
          .visible = {.prefix = fam_length,
                      .first = (missing + fam_length).expand({blocks, config.block}),
                      .last = own.expand({blocks, config.block})}};
}

Tensor attend_to_text(const CogformerLayer& layer, const MemoryConfig& config, const Tensor& x,
                      const TextPlaces& places, LayerMemory& memory) {
  const int64_t batch = x.size(0), block = config.block, fam = memory.fam.defined() ? memory.fam.size(1) : 0;
  const Rotation turn = places.turns.narrow(fam, x.size(1));
  const Tensor y = rms_norm(x, layer.attention_norm);
  const Tensor keys = rotate(layer.heads(y, layer.kw), turn), values = layer.heads(y, layer.vw);
  Tensor k = windows(keys, config, places.blocks), v = windows(values, config, places.blocks);
  if (fam > 0) {
    std::vector<Tensor> fam_keys, fam_values;
    for (int64_t b = 0; b < places.blocks; ++b) {
      const Qkv f = project_fam(layer, memory.fam, places.turns.narrow((b + 1) * block, fam),
                                places.turns.narrow(b * block, fam));
      fam_keys.push_back(f.k), fam_values.push_back(f.v);
      if (b < places.full)
        update_fam(layer, memory, f, keys.narrow(1, b * block, block), values.narrow(1, b * block, block));
    }
    k = at::cat({at::stack(fam_keys, 1), k}, 2), v = at::cat({at::stack(fam_values, 1), v}, 2);
  }
  const auto each = [&](const Tensor& ends) { return ends.repeat({batch, 1}); };
  const Tensor q = rotate(layer.heads(y, layer.qw), turn).unflatten(1, {places.blocks, block}).flatten(0, 1);
  const VisibleKeys visible{
      .prefix = places.visible.prefix, .first = each(places.visible.first), .last = each(places.visible.last)};
  const Tensor seen = layer.attend({q, k.flatten(0, 1), v.flatten(0, 1)}, visible);
  return layer.feed_forward(x + seen.view({batch, -1, seen.size(2)}));
}

}  // namespace uvic
