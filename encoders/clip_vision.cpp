#include "encoders/clip_vision.h"

#include <algorithm>

#include "core/error.h"
#include "core/image/image.h"
#include "encoders/transformer_config.h"

namespace uvic {
namespace {

constexpr std::string_view kVisionPrefix = "vision_model.";
constexpr int64_t kMostElongated = 50;

TensorMap image_half(const TensorMap& weights) {
  TensorMap half;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with(kVisionPrefix) && !name.ends_with("embeddings.position_ids")) half[name] = tensor;
  return half;
}

int64_t places(const ClipVisionConfig& config) {
  const int64_t side = config.image_size / config.patch_size;
  return 1 + side * side;
}

}  // namespace

ClipVisionConfig parse_clip_vision_config(const nlohmann::json& config, const std::string& origin) {
  if (!config.is_object()) fail("{} is not a JSON object", origin);
  constexpr SizeRange kPixels{.most = 8192};
  ClipVisionConfig parsed;
  read_transformer(config, parsed, origin);
  read_size(config, "image_size", parsed.image_size, origin, kPixels);
  read_size(config, "patch_size", parsed.patch_size, origin, kPixels);
  if (parsed.patch_size > parsed.image_size)
    fail("{}: patch_size {} is larger than image_size {}", origin, parsed.patch_size, parsed.image_size);
  parsed.hidden_act = read_activation(config, parsed.hidden_act, origin);
  return parsed;
}

ClipVision::ClipVision(const ClipVisionConfig& config)
    : config_(config),
      patches_{{.weight = frozen::shape({config.hidden_size, 3, config.patch_size, config.patch_size}),
                .bias = {},
                .stride = {config.patch_size, config.patch_size}}},
      class_token_(frozen::shape({config.hidden_size})),
      positions_(frozen::shape({places(config), config.hidden_size})),
      first_norm_(frozen::layer_norm(config.hidden_size, config.layer_norm_eps)),
      last_norm_(first_norm_),
      layers_(config) {}

ClipVision::ClipVision(const ClipVisionConfig& config, const TensorMap& weights, const std::string& origin)
    : ClipVision(config) {
  frozen::adopt([this](const EachParameter& each) { visit(each); }, image_half(weights), origin,
                "Give the weights of a whole CLIP together with its own config.json");
}

void ClipVision::visit(const EachParameter& each) {
  const std::string prefix(kVisionPrefix);
  each(prefix + "embeddings.class_embedding", class_token_, Role::kToken);
  visit_layer(prefix + "embeddings.patch_embedding", patches_, each);
  each(prefix + "embeddings.position_embedding.weight", positions_, Role::kToken);
  visit_layer(prefix + "pre_layrnorm", first_norm_, each);  // spelled so in all files
  layers_.visit(prefix, each);
  visit_layer(prefix + "post_layernorm", last_norm_, each);
}

Parameters ClipVision::parameters() const {
  return list_parameters([this](const EachParameter& each) { const_cast<ClipVision*>(this)->visit(each); });
}

Tensor ClipVision::operator()(const Tensor& pixels) const {
  using frozen::like;
  const int64_t size = config_.image_size;
  TORCH_CHECK(pixels.dim() == 4 && pixels.size(1) == 3 && pixels.size(2) == size && pixels.size(3) == size,
              "pixels of shape ", pixels.sizes());
  const Tensor patches = patches_(pixels).flatten(2).transpose(1, 2);
  const Tensor token = like(class_token_, pixels).expand({pixels.size(0), 1, -1});
  const Tensor x = first_norm_(at::cat({token, patches}, 1) + like(positions_, pixels));
  return last_norm_(layers_(x, /*causal=*/false).select(1, 0));
}

Tensor clip_input(const Tensor& picture, int64_t size, const std::string& name) {
  const int64_t height = picture.size(1), width = picture.size(2), shorter = std::min(height, width);
  if (std::max(height, width) > kMostElongated * shorter)
    fail("{} has {} x {} pixels, expected sides of which none is more than {} times the other", name, width, height,
         kMostElongated);
  const int64_t h = size * height / shorter, w = size * width / shorter;
  const Tensor resized = resize_like_pillow(picture.permute({1, 2, 0}).contiguous(), h, w, Filter::kBicubic);
  const Tensor square = resized.narrow(0, (h - size) / 2, size).narrow(1, (w - size) / 2, size).permute({2, 0, 1});
  const Tensor mean = at::tensor({0.48145466, 0.4578275, 0.40821073}).view({3, 1, 1});
  const Tensor deviation = at::tensor({0.26862954, 0.26130258, 0.27577711}).view({3, 1, 1});
  return (square.to(at::kFloat) / 255 - mean) / deviation;
}

}  // namespace uvic
