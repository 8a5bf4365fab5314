#include "lm/cogformer.h"

#include <cmath>

#include "core/random.h"
#include "lm/rotary.h"

namespace uvic {

Cogformer::Cogformer(const CogformerConfig& config, uint64_t seed) : config_(config) {
  const int64_t width = config.heads * config.head_dim;
  const auto norm = [&] { return RmsNorm{at::ones({config.dim}), config.norm_epsilon}; };
  embedding_ = at::empty({config.vocabulary, config.dim});
  const AttentionKind& inner = find(attention_kinds(), config.attention, "attention kind").value;
  const AttentionKind& outer = find(attention_kinds(), "softmax", "attention kind").value;
  for (int64_t i = 0; i < config.layers; ++i)
    layers_.push_back({.qw = at::empty({config.dim, width}),
                       .kw = at::empty({config.dim, width}),
                       .vw = at::empty({config.dim, width}),
                       .ow = at::empty({width, config.dim}),
                       .gw = at::empty({config.dim, config.hidden}),
                       .pw = at::empty({config.dim, config.hidden}),
                       .ffn_ow = at::empty({config.hidden, config.dim}),
                       .attention_norm = norm(),
                       .ffn_norm = norm(),
                       .kind = i == 0 || i == config.layers - 1 ? &outer : &inner});
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
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const std::string attention = fmt::format("layers.{}.attention.", i);
    const std::string ffn = fmt::format("layers.{}.ffn.shared_experts.0.", i);
    each(attention + "qw", layer.qw, Role::kBlockMatrix);
    each(attention + "kw", layer.kw, Role::kBlockMatrix);
    each(attention + "vw", layer.vw, Role::kBlockMatrix);
    each(attention + "ow", layer.ow, Role::kBlockMatrix);
    each(ffn + "gw", layer.gw, Role::kBlockMatrix);
    each(ffn + "pw", layer.pw, Role::kBlockMatrix);
    each(ffn + "ow", layer.ffn_ow, Role::kBlockMatrix);
    each(fmt::format("layers.{}.attention_norm.weight", i), layer.attention_norm.weight, Role::kNorm);
    each(fmt::format("layers.{}.ffn_norm.weight", i), layer.ffn_norm.weight, Role::kNorm);
  }
  each("norm.weight", norm_.weight, Role::kNorm);
  each("output.weight", output_.weight, Role::kMatrix);
}

Parameters Cogformer::parameters() const {
  Parameters list;
  const_cast<Cogformer*>(this)->visit([&](const std::string& name, Tensor& p, Role role) {
    list.push_back({name, p, role});
  });
  return list;
}

void Cogformer::to(at::Device device, at::ScalarType dtype) {
  visit([&](const std::string&, Tensor& p, Role) { p = p.detach().to(device, dtype); });
}

Tensor Cogformer::attend(const Layer& layer, const Tensor& x, const VisibleKeys& visible, Cache* cache,
                         size_t number) const {
  const int64_t before = cache && number < cache->keys.size() ? cache->keys[number].size(1) : 0;
  const Rotation turn = rotation(before, x.size(1), config_.head_dim, x.options().requires_grad(false));
  const auto heads = [&](const Tensor& w) { return at::matmul(x, w).unflatten(-1, {config_.heads, config_.head_dim}); };
  Qkv in{rotate(heads(layer.qw), turn), rotate(heads(layer.kw), turn), heads(layer.vw)};
  if (cache) {
    if (number == cache->keys.size()) {
      cache->keys.push_back(in.k), cache->values.push_back(in.v);
    } else {
      cache->keys[number] = in.k = at::cat({cache->keys[number], in.k}, 1);
      cache->values[number] = in.v = at::cat({cache->values[number], in.v}, 1);
    }
  }
  const double scale = 1 / std::sqrt(static_cast<double>(config_.head_dim));
  return at::matmul(fused_attention(*layer.kind, in, {.scale = scale, .keys = visible}).flatten(2), layer.ow);
}

Tensor Cogformer::forward(const Tensor& tokens, const VisibleKeys& visible, Cache* cache,
                          const Observe& observe) const {
  Tensor x = at::embedding(embedding_, tokens);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const Layer& layer = layers_[i];
    x = x + attend(layer, layer.attention_norm(x), visible, cache, i);
    const Tensor y = layer.ffn_norm(x);
    x = x + at::matmul(at::matmul(y, layer.gw) * at::silu(at::matmul(y, layer.pw)), layer.ffn_ow);
    if (observe) observe(fmt::format("layer{}", i), x);
  }
  x = norm_(x);
  if (observe) observe("final_norm", x);
  return output_(x);
}

Tensor Cogformer::operator()(const Tensor& tokens, const VisibleKeys& visible) const {
  return forward(tokens, visible, nullptr, {});
}

Tensor Cogformer::next(const Tensor& tokens, const VisibleKeys& visible, Cache& cache) const {
  return forward(tokens, visible, &cache, {});
}

Tensor next_token_loss(const Tensor& logits, const Tensor& tokens, const Tensor& counted) {
  constexpr int64_t kLeftOut = -100;
  const Tensor targets = counted.defined() ? at::where(counted, tokens, at::full_like(tokens, kLeftOut)) : tokens;
  const int64_t length = tokens.size(1);
  return at::cross_entropy_loss(logits.narrow(1, 0, length - 1).flatten(0, 1),
                                targets.narrow(1, 1, length - 1).flatten(), {}, at::Reduction::Mean, kLeftOut);
}

}  // namespace uvic
