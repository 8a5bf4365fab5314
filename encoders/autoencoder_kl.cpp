#include "encoders/autoencoder_kl.h"

#include <cmath>

#include "core/error.h"
#include "encoders/autoencoder_config.h"

namespace uvic {

Tensor AutoencoderKl::ResBlock::operator()(const Tensor& x) const {
  const Tensor h = conv1(at::silu(norm1(x)));
  return (shortcut ? (*shortcut)(x) : x) + conv2(at::silu(norm2(h)));
}

// One head over all places, for some of them at a time, so that memory does not grow with the square of their number.
// Composed, because LibTorch's fused attention gives other bits in a process that has used more threads before.
Tensor AutoencoderKl::Attention::operator()(const Tensor& x) const {
  constexpr int64_t kQueries = 1024;
  const Tensor tokens = norm(x).flatten(2).transpose(1, 2);  // [B, H W, C]
  const double scale = 1 / std::sqrt(static_cast<double>(x.size(1)));
  const Tensor keys = k(tokens).transpose(1, 2), values = v(tokens);
  std::vector<Tensor> mixed;
  for (const Tensor& queries : (q(tokens) * scale).split(kQueries, 1))
    mixed.push_back(at::matmul(at::softmax(at::matmul(queries, keys), -1), values));
  return x + out(at::cat(mixed, 1)).transpose(1, 2).reshape(x.sizes());
}

Tensor AutoencoderKl::Level::operator()(Tensor x) const {
  for (size_t i = 0; i < blocks.size(); ++i) {
    x = blocks[i](x);
    if (!attention.empty()) x = attention[i](x);
  }
  return x;
}

Tensor AutoencoderKl::Half::middle(const Tensor& x) const {
  return mid_block2(mid_attention(mid_block1(x)));
}

Tensor AutoencoderKl::Half::finish(const Tensor& x) const {
  return conv_out(at::silu(norm_out(x)));
}

Tensor AutoencoderKl::encoder(const Tensor& images) const {
  Tensor h = encoder_.conv_in(images);
  for (const Level& level : encoder_.levels) {
    h = level(h);
    // The original pads only behind, so that 2 x 2 windows stay where they are.
    if (level.resample) h = (*level.resample)(at::constant_pad_nd(h, {0, 1, 0, 1}));
  }
  return encoder_.finish(encoder_.middle(h));
}

Tensor AutoencoderKl::encode(const Tensor& images) const {
  return quant_conv_(encoder(images));
}

Tensor AutoencoderKl::decode(const Tensor& latents) const {
  Tensor h = decoder_.middle(decoder_.conv_in(post_quant_conv_(latents)));
  for (auto level = decoder_.levels.rbegin(); level != decoder_.levels.rend(); ++level) {
    h = (*level)(h);
    if (level->resample) h = (*level->resample)(at::upsample_nearest2d(h, {2 * h.size(2), 2 * h.size(3)}));
  }
  return decoder_.finish(h);
}

Tensor sample_latent(const Tensor& moments, const Tensor& noise) {
  const std::vector<Tensor> halves = moments.chunk(2, 1);
  return halves[0] + at::exp(0.5 * halves[1].clamp(-30, 20)) * noise;
}

frozen::GroupNorm AutoencoderKl::make_norm(int64_t channels) const {
  return frozen::group_norm(channels, config_.groups, 1e-6);
}

namespace {

frozen::Conv conv_layer(int64_t in, int64_t out, int64_t kernel = 3, int64_t stride = 1) {
  return frozen::conv(in, out, kernel, stride, stride == 1 ? kernel / 2 : 0);  // with a stride the padding is apart
}

}  // namespace

AutoencoderKl::ResBlock AutoencoderKl::make_block(int64_t in, int64_t out) const {
  ResBlock block{make_norm(in), make_norm(out), conv_layer(in, out), conv_layer(out, out), {}};
  if (in != out) block.shortcut = conv_layer(in, out, 1);
  return block;
}

AutoencoderKl::Attention AutoencoderKl::make_attention(int64_t channels) const {
  const auto linear = [&] { return frozen::linear(channels, channels); };
  return {make_norm(channels), linear(), linear(), linear(), linear()};
}

// What both halves share: `in` and `out` channels at the ends, the middle at the lowest resolution.
AutoencoderKl::Half AutoencoderKl::make_half(int64_t in, int64_t out) const {
  const int64_t low = config_.channels.back();
  return {.conv_in = conv_layer(in, low),
          .conv_out = conv_layer(low, out),
          .mid_block1 = make_block(low, low),
          .mid_block2 = make_block(low, low),
          .mid_attention = make_attention(low),
          .norm_out = make_norm(low),
          .levels = std::vector<Level>(config_.channels.size())};
}

AutoencoderKl::AutoencoderKl(AutoencoderConfig config) : config_(std::move(config)) {
  const AutoencoderConfig& c = config_;
  const int64_t encoded = c.double_z ? 2 * c.z_channels : c.z_channels;
  const size_t lowest = c.channels.size() - 1;

  encoder_ = make_half(c.in_channels, encoded);
  encoder_.conv_in = conv_layer(c.in_channels, c.stem);
  int64_t width = c.stem;
  for (size_t i = 0; i <= lowest; ++i) {
    Level& level = encoder_.levels[i];
    for (int64_t j = 0; j < c.res_blocks; ++j) {
      level.blocks.push_back(make_block(width, c.channels[i]));
      width = c.channels[i];
      if (c.attention[i]) level.attention.push_back(make_attention(width));
    }
    if (i < lowest) level.resample = conv_layer(width, width, 3, 2);
  }

  decoder_ = make_half(c.z_channels, c.out_channels);
  for (size_t i = lowest + 1; i-- > 0;) {
    Level& level = decoder_.levels[i];
    for (int64_t j = 0; j <= c.res_blocks; ++j) {
      level.blocks.push_back(make_block(width, c.channels[i]));
      width = c.channels[i];
      if (c.attention[i]) level.attention.push_back(make_attention(width));
    }
    if (i > 0) level.resample = conv_layer(width, width);
  }
  decoder_.norm_out = make_norm(width);
  decoder_.conv_out = conv_layer(width, c.out_channels);

  quant_conv_ = conv_layer(encoded, c.double_z ? 2 * c.embed_dim : c.embed_dim, 1);
  post_quant_conv_ = conv_layer(c.embed_dim, c.z_channels, 1);
}

void AutoencoderKl::visit(const AutoencoderNames& names, const EachParameter& each) {
  const auto layer = [&](const std::string& name, auto& layer) { visit_layer(name, layer, each); };
  const auto block = [&](const std::string& name, ResBlock& b) {
    layer(name + ".norm1", b.norm1);
    layer(name + ".conv1", b.conv1);
    layer(name + ".norm2", b.norm2);
    layer(name + ".conv2", b.conv2);
    if (b.shortcut) layer(fmt::format("{}.{}", name, names.shortcut), *b.shortcut);
  };
  const auto attention = [&](const std::string& name, Attention& a) {
    layer(fmt::format("{}.{}", name, names.attention_norm), a.norm);
    layer(fmt::format("{}.{}", name, names.q), a.q);
    layer(fmt::format("{}.{}", name, names.k), a.k);
    layer(fmt::format("{}.{}", name, names.v), a.v);
    layer(fmt::format("{}.{}", name, names.out), a.out);
  };
  const auto half = [&](const std::string& name, Half& h, std::string_view levels, bool from_lowest,
                        std::string_view resample) {
    layer(name + "conv_in", h.conv_in);
    for (size_t i = 0; i < h.levels.size(); ++i) {
      Level& level = h.levels[i];
      const size_t number = from_lowest ? h.levels.size() - 1 - i : i;
      const std::string in_level = name + fmt::format(fmt::runtime(levels), number) + ".";
      for (size_t j = 0; j < level.blocks.size(); ++j) {
        block(in_level + fmt::format(fmt::runtime(names.block), j), level.blocks[j]);
        if (!level.attention.empty())
          attention(in_level + fmt::format(fmt::runtime(names.attention), j), level.attention[j]);
      }
      if (level.resample) layer(fmt::format("{}{}", in_level, resample), *level.resample);
    }
    block(fmt::format("{}{}", name, names.mid_block1), h.mid_block1);
    attention(fmt::format("{}{}", name, names.mid_attention), h.mid_attention);
    block(fmt::format("{}{}", name, names.mid_block2), h.mid_block2);
    layer(fmt::format("{}{}", name, names.norm_out), h.norm_out);
    layer(name + "conv_out", h.conv_out);
  };
  half("encoder.", encoder_, names.down, false, names.downsample);
  half("decoder.", decoder_, names.up, names.up_from_lowest, names.upsample);
  layer("quant_conv", quant_conv_);
  layer("post_quant_conv", post_quant_conv_);
}

namespace {

AutoencoderConfig read_layout(const TensorMap& weights, const std::string& origin, int64_t groups,
                              std::optional<double> scale) {
  AutoencoderConfig config = infer_autoencoder_config(weights, names_of(weights, origin), origin);
  config.groups = groups;
  config.scale = scale;
  for (const int64_t channels : config.channels)
    if (channels % groups != 0) fail("{}: {} channels cannot be cut into {} groups", origin, channels, groups);
  return config;
}

}  // namespace

AutoencoderKl::AutoencoderKl(TensorMap weights, const std::string& origin, int64_t groups, std::optional<double> scale)
    : AutoencoderKl(read_layout(weights, origin, groups, scale)) {
  std::erase_if(weights, [](const auto& entry) { return entry.first.starts_with("loss."); });
  const AutoencoderNames& names = names_of(weights, origin);
  const auto for_attention = [&](const auto& change) {
    if (!names.conv_attention) return;
    visit(names, [&](const std::string& name, Tensor& p, Role) {
      for (const std::string_view matrix : {names.q, names.k, names.v, names.out})
        if (name.ends_with(fmt::format(".{}.weight", matrix))) p = change(p);
    });
  };
  for_attention([](const Tensor& p) { return p.unsqueeze(-1).unsqueeze(-1); });
  frozen::adopt([&](const EachParameter& each) { visit(names, each); }, weights, origin,
                "Give the weights of an AutoencoderKL");
  for_attention([](const Tensor& p) { return p.flatten(1); });
}

Parameters AutoencoderKl::parameters() const {
  return list_parameters(
      [this](const EachParameter& each) { const_cast<AutoencoderKl*>(this)->visit(diffusers_names(), each); });
}

void AutoencoderKl::to(at::Device device) {
  frozen::move([this](const EachParameter& each) { visit(diffusers_names(), each); }, device);
}

}  // namespace uvic
