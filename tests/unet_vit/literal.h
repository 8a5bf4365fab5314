// U-ViT with memory as one would write it down: image by image, block of patches by block, every row normed and
// projected where it is used, dense attention.
#pragma once

#include "transformer/attention.h"
#include "unet_vit/uvit.h"

namespace uvic {

class LiteralUVit {
 public:
  LiteralUVit(const UVitConfig& config, const Parameters& parameters) : config_(config), weights_(to_map(parameters)) {}

  // Of tokens [B, L, D] with their positions: "block0"... and "fam.0"... as `UVit::forward` shows them.
  TensorMap operator()(const Tensor& tokens) const {
    std::map<std::string, std::vector<Tensor>> images;
    for (int64_t b = 0; b < tokens.size(0); ++b)
      for (const auto& [name, value] : image(tokens[b])) images[name].push_back(value);
    TensorMap all;
    for (const auto& [name, values] : images) all[name] = at::stack(values);
    return all;
  }

 private:
  struct Rows {
    Tensor x, fam;  // [L, D], [F, D] or [0, D]
  };

  TensorMap image(const Tensor& tokens) const {
    const int64_t half = config_.depth / 2;
    const bool has_fam = config_.memory == "fam";
    Rows rows{tokens, has_fam ? weights_.at("fam_embedding") : tokens.narrow(0, 0, 0)};
    TensorMap seen;
    std::vector<Rows> skips;
    for (int64_t i = 0; i <= 2 * half; ++i) {
      const std::string name = i < half    ? fmt::format("in_blocks.{}", i)
                               : i == half ? std::string("mid_block")
                                           : fmt::format("out_blocks.{}", i - half - 1);
      if (i > half) {
        if (config_.skip)
          for (Tensor Rows::*part : {&Rows::x, &Rows::fam})
            rows.*part = linear(name + ".skip_linear", at::cat({rows.*part, skips.back().*part}, -1));
        skips.pop_back();
      }
      rows = block(name, i == 0 || i == 2 * half ? config_.end_attention : config_.attention, rows, i == 0);
      if (i < half) skips.push_back(rows);
      seen[fmt::format("block{}", i)] = rows.x;
      if (has_fam) seen[fmt::format("fam.{}", i)] = rows.fam;
    }
    return seen;
  }

  Rows block(const std::string& name, const std::string& kind, const Rows& in, bool is_first) const {
    const int64_t extras = extra_tokens(config_), patches = in.x.size(0) - extras, size = config_.block;
    const Tensor front = in.x.narrow(0, 0, extras);
    std::vector<Tensor> out{after(name, front, mix(name, kind, front, in.x))};
    Tensor fam = in.fam;
    for (int64_t begin = 0; begin < patches; begin += size) {
      const int64_t end = std::min(begin + size, patches), around = config_.segments * size;
      const int64_t from = std::max<int64_t>(0, begin - around);
      const int64_t to = config_.window == "both" ? std::min(patches, begin + size + around) : end;
      const Tensor own = in.x.slice(0, extras + begin, extras + end);
      const Tensor window = in.x.slice(0, extras + from, extras + to);
      out.push_back(after(name, own, mix(name, kind, own, at::cat({front, fam, window}))));
      if (fam.size(0) == 0) continue;
      const double kept = is_first && begin == 0 ? 0 : 1;
      fam = after(name, kept * fam, mix(name, kind, fam, at::cat({front, fam, own})));
    }
    return {at::cat(out), fam};
  }

  Tensor linear(const std::string& name, const Tensor& x) const {
    const auto bias = weights_.find(name + ".bias");
    const Tensor product = at::matmul(x, weights_.at(name + ".weight").t());
    return bias == weights_.end() ? product : product + bias->second;
  }
  Tensor norm(const std::string& name, const Tensor& x) const {
    const Tensor centred = x - x.mean(-1, true);
    return centred * at::rsqrt(centred.square().mean(-1, true) + 1e-5) * weights_.at(name + ".weight") +
           weights_.at(name + ".bias");
  }

  // What attention of some rows to others adds to them.
  Tensor mix(const std::string& name, const std::string& kind, const Tensor& queries, const Tensor& keys) const {
    const auto parts = [&](const Tensor& rows) {
      return linear(name + ".attn.qkv", norm(name + ".norm1", rows)).chunk(3, -1);
    };
    const Tensor all_q = parts(queries)[0], all_k = parts(keys)[1], all_v = parts(keys)[2];
    const int64_t width = config_.dim / config_.heads;
    std::vector<Tensor> heads;
    for (int64_t h = 0; h < config_.heads; ++h) {
      const auto of_head = [&](const Tensor& rows) { return rows.narrow(-1, h * width, width); };
      const Tensor scores = at::matmul(of_head(all_q), of_head(all_k).t()) / std::sqrt(static_cast<double>(width));
      const Tensor weights = kind == "cog" ? at::sign(scores) * at::softmax(scores.abs(), -1) : at::softmax(scores, -1);
      heads.push_back(at::matmul(weights, of_head(all_v)));
    }
    return linear(name + ".attn.proj", at::cat(heads, -1));
  }

  // The rows with what attention and the MLP add to them.
  Tensor after(const std::string& name, const Tensor& rows, const Tensor& mixed) const {
    const Tensor y = rows + mixed;
    return y + linear(name + ".mlp.fc2", at::gelu(linear(name + ".mlp.fc1", norm(name + ".norm2", y))));
  }

  UVitConfig config_;
  TensorMap weights_;
};

}  // namespace uvic
