#include "unet_vit/uvit.h"

#include <cmath>

#include "core/random.h"
#include "transformer/checkpointing.h"

namespace uvic {

Tensor timestep_embedding(const Tensor& time, int64_t dim) {
  // Every result is rounded to float32 where the original rounds it, since with times up to 1000 that shows in the
  // angles; the functions themselves are evaluated in float64, so that all machines agree.
  const int64_t half = dim / 2;
  const auto options = at::TensorOptions().dtype(at::kFloat).device(time.device());
  const Tensor exponents = at::arange(half, options) * -std::log(10000.0) / static_cast<double>(half);
  const Tensor frequencies = at::exp(exponents.to(at::kDouble)).to(at::kFloat);
  const Tensor angles = (time.to(at::kFloat).unsqueeze(1) * frequencies).to(at::kDouble);
  Tensor embedding = at::cat({at::cos(angles), at::sin(angles)}, 1).to(at::kFloat);
  if (dim % 2 == 1) embedding = at::constant_pad_nd(embedding, {0, 1});
  return embedding;
}

Tensor unpatchify(const Tensor& tokens, int64_t patch, int64_t channels) {
  const int64_t batch = tokens.size(0);
  const int64_t side = std::lround(std::sqrt(static_cast<double>(tokens.size(1))));
  return tokens.reshape({batch, side, side, patch, patch, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({batch, channels, side * patch, side * patch});
}

namespace {

Block make_block(const UVitConfig& config, bool skip, const std::string& attention) {
  const int64_t dim = config.dim, hidden = static_cast<int64_t>(static_cast<double>(dim) * config.mlp_ratio);
  Block block{.skip_linear = {},
              .norm1 = make_layer_norm(dim),
              .norm2 = make_layer_norm(dim),
              .qkv = make_linear(dim, 3 * dim, config.qkv_bias),
              .proj = make_linear(dim, dim),
              .fc1 = make_linear(dim, hidden),
              .fc2 = make_linear(hidden, dim),
              .heads = config.heads,
              .kind = &find(attention_kinds(), attention, "attention kind").value,
              .fused = find(kernel_kinds(), config.kernels, "kind of kernels").value};
  if (skip) block.skip_linear = make_linear(2 * dim, dim);
  return block;
}

}  // namespace

UVit::UVit(const UVitConfig& config, uint64_t seed) : config_(resolve(config)) {
  const int64_t dim = config_.dim, patch = config_.patch, channels = config_.channels, half = config_.depth / 2;
  patch_embed_ = make_conv(channels, dim, patch, /*stride=*/patch);
  pos_embed_ = at::empty({1, sequence_length(config_), dim});
  if (config_.classes > 0) label_emb_ = at::empty({config_.classes + 1, dim});
  if (config_.vocabulary > 0) text_embed_ = at::empty({config_.vocabulary, config_.context_dim});
  if (config_.context_tokens > 0) context_embed_ = make_linear(config_.context_dim, dim);
  if (config_.mlp_time_embed) {
    time_embed_0_ = make_linear(dim, 4 * dim);
    time_embed_2_ = make_linear(4 * dim, dim);
  }
  for (int64_t i = 0; i < half; ++i)
    in_blocks_.push_back(make_block(config_, false, i == 0 ? config_.end_attention : config_.attention));
  mid_block_ = make_block(config_, false, config_.attention);
  for (int64_t i = 0; i < half; ++i)
    out_blocks_.push_back(make_block(config_, config_.skip, i == half - 1 ? config_.end_attention : config_.attention));
  norm_ = make_layer_norm(dim);
  decoder_pred_ = make_linear(dim, patch * patch * channels);
  if (config_.conv) final_layer_ = make_conv(channels, channels, 3, /*stride=*/1, /*padding=*/1);
  const int64_t extras = extra_tokens(config_), patches = sequence_length(config_) - extras;
  const PatchMemory memory = patch_memory(config_);
  if (memory == PatchMemory::kWindow)
    window_ = block_window_keys(extras + patches, config_.block, config_.segments, extras, sees_both_sides(config_));
  if (memory == PatchMemory::kFeedback) {
    fam_embedding_ = at::empty({config_.fam_length, dim});
    feedback_ = make_feedback_memory({.extras = extras,
                                      .patches = patches,
                                      .block = config_.block,
                                      .segments = config_.segments,
                                      .both_sides = sees_both_sides(config_),
                                      .fam_length = config_.fam_length});
  }
  initialize(seed);
}

void UVit::visit(const EachParameter& each) {
  const auto layer = [&](const std::string& name, auto& layer) { visit_layer(name, layer, each); };
  const auto matrix = [&](const std::string& name, Linear& layer) {
    visit_layer(name, layer, each, Role::kBlockMatrix);
  };
  const auto block = [&](const std::string& name, Block& b) {
    layer(name + ".norm1", b.norm1);
    matrix(name + ".attn.qkv", b.qkv);
    matrix(name + ".attn.proj", b.proj);
    layer(name + ".norm2", b.norm2);
    matrix(name + ".mlp.fc1", b.fc1);
    matrix(name + ".mlp.fc2", b.fc2);
    if (b.skip_linear) matrix(name + ".skip_linear", *b.skip_linear);
  };
  each("pos_embed", pos_embed_, Role::kToken);
  layer("patch_embed.proj", patch_embed_);
  if (time_embed_0_) {
    layer("time_embed.0", *time_embed_0_);
    layer("time_embed.2", *time_embed_2_);
  }
  if (label_emb_.defined()) each("label_emb.weight", label_emb_, Role::kEmbedding);
  if (text_embed_.defined()) each("text_embed.weight", text_embed_, Role::kEmbedding);
  if (context_embed_) layer("context_embed", *context_embed_);
  for (size_t i = 0; i < in_blocks_.size(); ++i) block(fmt::format("in_blocks.{}", i), in_blocks_[i]);
  block("mid_block", mid_block_);
  for (size_t i = 0; i < out_blocks_.size(); ++i) block(fmt::format("out_blocks.{}", i), out_blocks_[i]);
  layer("norm", norm_);
  layer("decoder_pred", decoder_pred_);
  if (final_layer_) layer("final_layer", *final_layer_);
  // Last, so that the others are drawn as without it.
  if (fam_embedding_.defined()) each("fam_embedding", fam_embedding_, Role::kToken);
}

void UVit::initialize(uint64_t seed) {
  at::NoGradGuard no_grad;
  at::Generator generator = make_generator(seed, Stream::kInit);
  double bound = 0;  // of a convolution; its bias, which follows the weight, has the same
  visit([&](const std::string&, Tensor& p, Role role) {
    if (role != Role::kBias) bound = role == Role::kConvolution ? 1 / std::sqrt(static_cast<double>(p[0].numel())) : 0;
    if (bound > 0) {
      p.uniform_(-bound, bound, generator);
    } else if (role == Role::kNorm) {
      p.fill_(1);
    } else if (role == Role::kBias) {
      p.zero_();
    } else {
      p.normal_(0, role == Role::kEmbedding ? 1 : 0.02, generator);
    }
  });
}

Parameters UVit::parameters() const {
  return list_parameters([this](const EachParameter& each) { const_cast<UVit*>(this)->visit(each); });
}

void UVit::to(at::Device device, at::ScalarType dtype) {
  visit([&](const std::string&, Tensor& p, Role) { p = p.detach().to(device, dtype); });
}

void UVit::store_matrices(at::ScalarType dtype) {
  visit([&](const std::string&, Tensor& p, Role role) {
    if (role == Role::kBlockMatrix) p = p.detach().to(dtype);
  });
}

void UVit::set_requires_grad(bool on) {
  visit([&](const std::string&, Tensor& p, Role) { p.set_requires_grad(on); });
}

void UVit::replace(const std::function<Tensor(const std::string&, const Tensor&, Role)>& by) {
  visit([&](const std::string& name, Tensor& p, Role role) { p = by(name, p, role); });
}

Tensor UVit::embed_tokens(const Tensor& x, const Tensor& time, const Condition& condition,
                          const Observe& observe) const {
  const Tensor patches = patch_embed_(x).flatten(2).transpose(1, 2);
  if (observe) observe("patch_embed", patches);

  Tensor time_token = timestep_embedding(time, config_.dim).to(pos_embed_.scalar_type());
  if (time_embed_0_) time_token = (*time_embed_2_)(at::silu((*time_embed_0_)(time_token)));
  if (observe) observe("time_token", time_token);

  std::vector<Tensor> tokens;
  if (config_.classes > 0) {
    TORCH_CHECK(condition.label.defined(), "this model needs class labels");
    tokens.push_back(at::embedding(label_emb_, condition.label).unsqueeze(1));
  }
  tokens.push_back(time_token.unsqueeze(1));
  if (context_embed_) {
    TORCH_CHECK(condition.context.defined(), "this model needs text");
    const bool ids = condition.context.dim() == 2;
    tokens.push_back((*context_embed_)(ids ? at::embedding(text_embed_, condition.context) : condition.context));
  }
  tokens.push_back(patches);
  Tensor sequence = at::cat(tokens, 1) + pos_embed_;
  if (observe) observe("tokens_plus_pos", sequence);
  return sequence;
}

Tensor UVit::run_block(const Block& block, const Tensor& x, const Tensor& skip, bool is_first) const {
  const BlockFunction run = [this, &block, is_first](const Tensor& x, const Tensor& skip) {
    return feedback_ ? with_feedback(block, *feedback_, x, skip, is_first) : block(x, skip, window_);
  };
  return config_.checkpointing && at::GradMode::is_enabled() ? checkpointed(run, x, skip) : run(x, skip);
}

Tensor UVit::operator()(const Tensor& x, const Tensor& time, const Condition& condition) const {
  return forward(x, time, condition, {});
}

Tensor UVit::forward(const Tensor& x, const Tensor& time, const Condition& condition, const Observe& observe) const {
  Tensor h = embed_tokens(x, time, condition, observe);
  const int64_t length = h.size(1);
  // The feedback memory goes through the network behind the tokens, as rows of the same width.
  if (feedback_) h = at::cat({h, to_wide(fam_embedding_).expand({h.size(0), -1, -1})}, 1);
  const auto tokens_of = [length](const Tensor& rows) { return rows.narrow(1, 0, length); };
  int64_t index = 0;
  const auto step = [&](const Block& block, const Tensor& skip) {
    h = run_block(block, h, skip, index == 0);
    if (observe) observe(fmt::format("block{}", index), tokens_of(h));
    if (observe && feedback_) observe(fmt::format("fam.{}", index), h.slice(1, length));
    ++index;
  };
  std::vector<Tensor> skips;
  for (const Block& block : in_blocks_) {
    step(block, {});
    skips.push_back(h);
  }
  step(mid_block_, {});
  for (const Block& block : out_blocks_) {
    step(block, config_.skip ? skips.back() : Tensor());
    skips.pop_back();
  }
  h = norm_(tokens_of(h));
  if (observe) observe("final_norm", h);
  const Tensor tokens = decoder_pred_(h).slice(1, extra_tokens(config_));
  const Tensor image = unpatchify(tokens, config_.patch, config_.channels);
  const Tensor prediction = final_layer_ ? (*final_layer_)(image) : image;
  return prediction.to(x.scalar_type());  // under Autocast it comes in the type of the products
}

}  // namespace uvic
