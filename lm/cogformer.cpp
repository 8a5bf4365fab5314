#include "lm/cogformer.h"

#include <cmath>

#include "core/error.h"
#include "core/random.h"
#include "lm/rotary.h"

namespace uvic {

std::vector<std::string> inner_attention(const std::string& kind, int64_t layers) {
  std::vector<std::string> all(layers, kind);
  if (layers > 0) all.front() = all.back() = "softmax";
  return all;
}

namespace {

// Rows x [B, n, H, D] behind the first `before` of the store, and all of these.
Tensor appended(Tensor& store, int64_t before, const Tensor& x) {
  const int64_t length = before + x.size(1), room = store.defined() ? store.size(1) : 0;
  if (length > room) {
    const Tensor larger = at::empty({x.size(0), std::max(length, 2 * room), x.size(2), x.size(3)}, x.options());
    if (before > 0) larger.narrow(1, 0, before).copy_(store.narrow(1, 0, before));
    store = larger;
  }
  store.narrow(1, before, x.size(1)).copy_(x);
  return store.narrow(1, 0, length);
}

}  // namespace

Cogformer::Cogformer(const CogformerConfig& config, uint64_t seed) : config_(config) {
  TORCH_CHECK(config.layers > 0 && std::ssize(config.attention) == config.layers,
              "one layer or more, and a kind of attention for each of the ", config.layers, " layers, got ",
              config.attention.size());
  const int64_t width = config.heads * config.head_dim;
  const auto norm = [&] { return RmsNorm{at::ones({config.dim}), config.norm_epsilon}; };
  embedding_ = at::empty({config.vocabulary, config.dim});
  for (const std::string& kind : config.attention)
    layers_.push_back({.qw = at::empty({config.dim, width}),
                       .kw = at::empty({config.dim, width}),
                       .vw = at::empty({config.dim, width}),
                       .ow = at::empty({width, config.dim}),
                       .gw = at::empty({config.dim, config.hidden}),
                       .pw = at::empty({config.dim, config.hidden}),
                       .ffn_ow = at::empty({config.hidden, config.dim}),
                       .attention_norm = norm(),
                       .ffn_norm = norm(),
                       .kind = &find(attention_kinds(), kind, "attention kind").value,
                       .head_dim = config.head_dim});
  TORCH_CHECK(
      config.memory.segments >= 0 && config.memory.fam_length >= 0 && config.memory.fam_length <= config.memory.block,
      "memory takes 0 or more segments and a FAM no longer than a block");
  if (config.memory.fam_length > 0) fam_embedding_ = at::empty({config.memory.fam_length, config.dim});
  norm_ = norm();
  output_ = make_linear(config.dim, config.vocabulary, /*bias=*/false);

  at::NoGradGuard no_grad;
  at::Generator generator = make_generator(seed, Stream::kInit);
  const double smaller = 1 / std::sqrt(2.0 * static_cast<double>(config.layers));
  visit([&](const std::string& name, Tensor& p, Role role) {
    if (role != Role::kNorm) p.normal_(0, name.ends_with(".ow") ? 0.02 * smaller : 0.02, generator);
  });
}

void Cogformer::visit(const EachParameter& each) {
  each("embedding.weight", embedding_, Role::kEmbedding);
  if (fam_embedding_.defined()) each("fam_embedding", fam_embedding_, Role::kToken);
  for (size_t i = 0; i < layers_.size(); ++i) layers_[i].visit(fmt::format("layers.{}.", i), each);
  each("norm.weight", norm_.weight, Role::kNorm);
  each("output.weight", output_.weight, Role::kMatrix);
}

Parameters Cogformer::parameters() const {
  return list_parameters([this](const EachParameter& each) { const_cast<Cogformer*>(this)->visit(each); });
}

void Cogformer::to(at::Device device, at::ScalarType dtype) {
  visit([&](const std::string&, Tensor& p, Role) { p = p.detach().to(device, dtype); });
}

void Cogformer::replace(const std::function<Tensor(const std::string&, const Tensor&, Role)>& by) {
  visit([&](const std::string& name, Tensor& p, Role role) { p = by(name, p, role); });
}

Tensor Cogformer::finish(const Tensor& x, const Observe& observe) const {
  const Tensor y = rms_norm(x, norm_);
  if (observe) observe("final_norm", y);
  return multiply_rows(y, output_.weight.t());
}

const Rotation& Cogformer::angles(Cache& cache, int64_t length, const Tensor& like) const {
  const int64_t room = cache.turns.cos.defined() ? cache.turns.cos.size(0) : 0;
  if (length > room) cache.turns = rotation(0, std::max(length, 2 * room), config_.head_dim, like.options());
  return cache.turns;
}

Tensor Cogformer::forward(const Tensor& tokens, const VisibleKeys& visible, Cache* cache,
                          const Observe& observe) const {
  Tensor x = at::embedding(embedding_, tokens);
  const int64_t before = cache ? cache->length : 0;
  const Rotation turn = cache ? angles(*cache, before + x.size(1), x).narrow(before, x.size(1))
                              : rotation(0, x.size(1), config_.head_dim, x.options());
  if (cache) cache->keys.resize(layers_.size()), cache->values.resize(layers_.size());
  for (size_t i = 0; i < layers_.size(); ++i) {
    const CogformerLayer& layer = layers_[i];
    const Tensor y = rms_norm(x, layer.attention_norm);
    Qkv in{rotate(layer.heads(y, layer.qw), turn), rotate(layer.heads(y, layer.kw), turn), layer.heads(y, layer.vw)};
    if (cache) {
      in.k = appended(cache->keys[i], before, in.k);
      in.v = appended(cache->values[i], before, in.v);
    }
    x = layer.feed_forward(x + layer.attend(in, visible));
    if (observe) observe(fmt::format("layer{}", i), x);
  }
  if (cache) cache->length += x.size(1);
  return finish(x, observe);
}

std::vector<Tensor> Cogformer::attention_weights(const Tensor& tokens, const VisibleKeys& visible) const {
  TORCH_CHECK(config_.memory.block == 0, "weights are looked at without memory");
  Tensor x = at::embedding(embedding_, tokens);
  const Rotation turn = rotation(0, x.size(1), config_.head_dim, x.options());
  std::vector<Tensor> all;
  for (const CogformerLayer& layer : layers_) {
    const Tensor y = layer.attention_norm(x);
    const Qkv in{rotate(layer.heads(y, layer.qw), turn), rotate(layer.heads(y, layer.kw), turn),
                 layer.heads(y, layer.vw)};
    all.push_back(layer.weights(in, visible));
    x = layer.feed_forward(x + layer.attend(in, visible));
  }
  return all;
}

Cogformer::State Cogformer::begin(int64_t batch) const {
  State state;
  state.layers.resize(layers_.size());
  if (!fam_embedding_.defined()) return state;
  const std::vector<Tensor> learned = climb(layers_, fam_embedding_);
  for (size_t i = 0; i < layers_.size(); ++i) state.layers[i].fam = to_wide(learned[i]).expand({batch, -1, -1});
  return state;
}

Cogformer::State Cogformer::begin(int64_t batch, const std::vector<Tensor>& carried) const {
  TORCH_CHECK(carried.size() == layers_.size(), "a FAM for each of the ", layers_.size(), " layers, got ",
              carried.size());
  State state;
  for (const Tensor& fam : carried) {
    TORCH_CHECK(fam.dim() == 3 && (fam.size(0) == 1 || fam.size(0) == batch) &&
                    fam.size(1) == config_.memory.fam_length && fam.size(2) == config_.dim,
                "a carried FAM is [1 or ", batch, ", ", config_.memory.fam_length, ", ", config_.dim, "], got ",
                fam.sizes());
    state.layers.push_back({.fam = to_wide(fam).expand({batch, -1, -1}), .updated = true, .keys = {}, .values = {}});
  }
  return state;
}

Tensor Cogformer::forward(const Tensor& tokens, State& state, const Observe& observe) const {
  const int64_t block = config_.memory.block;
  TORCH_CHECK(block > 0, "this model has no memory");
  TORCH_CHECK(state.layers.size() == layers_.size(), "the state is not one that begin() gave");
  TORCH_CHECK(tokens.size(1) > 0, "no tokens to read");
  std::vector<Tensor> rows;
  std::vector<std::vector<Tensor>> of_layers(layers_.size());
  for (int64_t begin = 0, number = 0; begin < tokens.size(1);) {
    const int64_t count = std::min(block - state.in_block, tokens.size(1) - begin);
    Tensor x = at::embedding(embedding_, tokens.narrow(1, begin, count));
    const bool fills = state.in_block + count == block;
    const LayerMemory& any = state.layers.front();  // all have as much
    const int64_t kept = any.keys.defined() ? any.keys.size(1) - state.in_block : 0;
    const MemoryPlaces places = memory_places(config_.memory, kept, state.in_block, count,
                                              any.fam.defined() ? any.fam.size(1) : 0, config_.head_dim, x.options());
    for (size_t i = 0; i < layers_.size(); ++i) {
      LayerMemory& memory = state.layers[i];
      x = attend_with_memory(layers_[i], config_.memory, x, places, memory);
      of_layers[i].push_back(x);
      if (observe && fills && memory.fam.defined()) observe(fmt::format("fam.{}.{}", i, number), memory.fam);
    }
    rows.push_back(x);
    begin += count;
    number += fills;
    state.in_block = fills ? 0 : state.in_block + count;
  }
  for (size_t i = 0; observe && i < layers_.size(); ++i) observe(fmt::format("layer{}", i), at::cat(of_layers[i], 1));
  return finish(at::cat(rows, 1), observe);
}

Tensor Cogformer::whole(const Tensor& tokens, State& state) const {
  TORCH_CHECK(config_.memory.block > 0, "this model has no memory");
  TORCH_CHECK(state.layers.size() == layers_.size() && state.in_block == 0 && !state.layers.front().keys.defined(),
              "whole texts begin with what begin() gives");
  const int64_t length = tokens.size(1);
  const Tensor& fam = state.layers.front().fam;
  Tensor x = at::embedding(embedding_, tokens);
  const TextPlaces places =
      text_places(config_.memory, length, fam.defined() ? fam.size(1) : 0, config_.head_dim, x.options());
  x = at::constant_pad_nd(x, {0, 0, 0, places.blocks * config_.memory.block - length});
  for (size_t i = 0; i < layers_.size(); ++i)
    x = attend_to_text(layers_[i], config_.memory, x, places, state.layers[i]);
  return finish(x.narrow(1, 0, length), {});
}

Tensor Cogformer::next(const Tensor& tokens, State& state) const {
  return forward(tokens, state, {});
}

Tensor Cogformer::operator()(const Tensor& tokens, const VisibleKeys& visible) const {
  return forward(tokens, visible, nullptr, {});
}

Tensor Cogformer::next(const Tensor& tokens, const VisibleKeys& visible, Cache& cache) const {
  return forward(tokens, visible, &cache, {});
}

TensorMap without_buffers(TensorMap file) {
  for (const char* name : {"freqs_cis", "shortcut_bar"}) file.erase(name);
  return file;
}

Tensor next_token_loss(const Tensor& logits, const Tensor& tokens, const Tensor& counted) {
  constexpr int64_t kLeftOut = -100;
  const Tensor targets = counted.defined() ? at::where(counted, tokens, at::full_like(tokens, kLeftOut)) : tokens;
  const int64_t length = tokens.size(1);
  return at::cross_entropy_loss(logits.narrow(1, 0, length - 1).flatten(0, 1),
                                targets.narrow(1, 1, length - 1).flatten(), {}, at::Reduction::Mean, kLeftOut);
}

}  // namespace uvic
