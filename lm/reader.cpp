#include "lm/reader.h"

namespace uvic {

Reader::Reader(const Cogformer& net, int64_t batch) : net_(net) {
  if (net.config().memory.block > 0) memory_ = net.begin(batch);
}

Tensor Reader::read(const Tensor& tokens) {
  if (auto* const state = std::get_if<Cogformer::State>(&memory_)) return net_.next(tokens, *state);
  auto& cache = std::get<Cogformer::Cache>(memory_);
  // One token sees all there are.
  const VisibleKeys visible =
      tokens.size(1) == 1 ? VisibleKeys{} : causal_keys(tokens.size(1), cache.length + tokens.size(1));
  return net_.next(tokens, visible, cache);
}

}  // namespace uvic
