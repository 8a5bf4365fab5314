#include "unet_vit/feedback.h"

#include <algorithm>

#include "core/autocast.h"

namespace uvic {
namespace {

// The memory meets the matrices once for each block of patches: they are converted for all of them together.
Block converted(const Block& block, at::DeviceType device) {
  const at::ScalarType dtype = Autocast::current(device);
  if (dtype == at::kFloat) return block;
  Block copy = block;
  for (Linear* layer : {&copy.qkv, &copy.proj, &copy.fc1, &copy.fc2}) layer->weight = layer->weight.to(dtype);
  return copy;
}

}  // namespace

FeedbackMemory make_feedback_memory(const FeedbackSizes& sizes) {
  FeedbackMemory memory{.length = sizes.extras + sizes.patches,
                        .fam_length = sizes.fam_length,
                        .parts = {sizes.extras},
                        .windows = {},
                        .visible = {}};
  for (int64_t begin = 0; begin < sizes.patches; begin += sizes.block)
    memory.parts.push_back(std::min(sizes.block, sizes.patches - begin));
  const auto blocks = std::ssize(memory.parts) - 1;
  std::vector<Tensor> first, last;
  int64_t key = sizes.extras;
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t from = std::max<int64_t>(0, b - sizes.segments);
    const int64_t to = std::min(blocks - 1, sizes.both_sides ? b + sizes.segments : b);
    memory.windows.push_back({static_cast<size_t>(1 + from), static_cast<size_t>(1 + to)});
    const int64_t begin = key;
    key += sizes.fam_length;
    for (int64_t part = 1 + from; part <= 1 + to; ++part) key += memory.parts[part];
    first.push_back(at::full({memory.parts[1 + b]}, begin, at::kLong));
    last.push_back(at::full({memory.parts[1 + b]}, key, at::kLong));
  }
  memory.visible = {.prefix = sizes.extras, .first = at::cat(first).unsqueeze(0), .last = at::cat(last).unsqueeze(0)};
  return memory;
}

Tensor with_feedback(const Block& block, const FeedbackMemory& memory, const Tensor& rows, const Tensor& skip,
                     bool is_first) {
  const std::vector<Tensor> halves =
      block.join(rows, skip).split_with_sizes({memory.length, memory.fam_length}, /*dim=*/1);
  const Tensor x = halves[0].contiguous();
  Tensor fam = to_wide(halves[1]);
  const Qkv tokens = block.project(x);
  // Pieces, which are joined again, since the gradient of each part of a tensor by itself would be as long as the
  // whole: their number times that is a square.
  const std::vector<Tensor> keys = tokens.k.split_with_sizes(memory.parts, 1);
  const std::vector<Tensor> values = tokens.v.split_with_sizes(memory.parts, 1);
  std::vector<Tensor> seen_keys{keys[0]}, seen_values{values[0]};
  const Block of_memory = converted(block, rows.device().type());
  for (size_t part = 1; part < memory.parts.size(); ++part) {
    const Qkv own = of_memory.project(fam);
    const auto [from, to] = memory.windows[part - 1];
    seen_keys.push_back(own.k);
    seen_values.push_back(own.v);
    seen_keys.insert(seen_keys.end(), keys.begin() + from, keys.begin() + to + 1);
    seen_values.insert(seen_values.end(), values.begin() + from, values.begin() + to + 1);
    const Qkv of_block{own.q, at::cat({keys[0], own.k, keys[part]}, 1), at::cat({values[0], own.v, values[part]}, 1)};
    const bool is_learned = is_first && part == 1;
    fam = of_memory.finish(is_learned ? at::zeros_like(fam) : fam, of_memory.attend(of_block, {}));
  }
  const std::vector<Tensor> queries = tokens.q.split_with_sizes({memory.parts[0], memory.length - memory.parts[0]}, 1);
  const Tensor of_extras = block.attend({queries[0], tokens.k, tokens.v}, {});
  const Tensor of_patches = block.attend({queries[1], at::cat(seen_keys, 1), at::cat(seen_values, 1)}, memory.visible);
  return at::cat({block.finish(x, at::cat({of_extras, of_patches}, 1)), fam}, 1);
}

}  // namespace uvic
