#include "encoders/bert.h"

#include "core/error.h"
#include "encoders/attend.h"
#include "encoders/transformer_config.h"

namespace uvic {
namespace {

constexpr std::string_view kBertPrefix = "bert.";
constexpr std::pair<const char*, const char*> kFixed[] = {{"hidden_act", "gelu"},
                                                          {"position_embedding_type", "absolute"}};

// Without the prefix, the pooler and the table of places 0, 1, 2, ... that older files carry.
TensorMap encoder_alone(const TensorMap& weights) {
  TensorMap encoder;
  for (const auto& [full, tensor] : weights) {
    const std::string name = full.starts_with(kBertPrefix) ? full.substr(kBertPrefix.size()) : full;
    if (!name.starts_with("pooler.") && name != "embeddings.position_ids") encoder[name] = tensor;
  }
  return encoder;
}

}  // namespace

BertConfig parse_bert_config(const nlohmann::json& config, const std::string& origin) {
  if (!config.is_object()) fail("{} is not a JSON object", origin);
  BertConfig parsed;
  read_transformer(config, parsed, origin);
  read_size(config, "type_vocab_size", parsed.type_vocab_size, origin);
  for (const auto& [name, value] : kFixed)
    if (config.contains(name) && config[name] != value)
      fail("{}: {} is {}, expected \"{}\"", origin, name, config[name].dump(), value);
  return parsed;
}

nlohmann::json to_json(const BertConfig& config) {
  nlohmann::json json = transformer_json(config);
  json.update({{"architectures", {"BertModel"}}, {"model_type", "bert"}, {"type_vocab_size", config.type_vocab_size}});
  for (const auto& [name, value] : kFixed) json[name] = value;
  return json;
}

Bert::Bert(const BertConfig& config) : config_(config) {
  using frozen::linear, frozen::shape;
  const int64_t dim = config.hidden_size, hidden = config.intermediate_size;
  const auto norm = [&] { return frozen::layer_norm(dim, config.layer_norm_eps); };
  tokens_ = shape({config.vocab_size, dim});
  positions_ = shape({config.max_position_embeddings, dim});
  types_ = shape({config.type_vocab_size, dim});
  norm_ = norm();
  for (int64_t i = 0; i < config.num_hidden_layers; ++i)
    layers_.push_back({linear(dim, dim), linear(dim, dim), linear(dim, dim), linear(dim, dim), linear(dim, hidden),
                       linear(hidden, dim), norm(), norm()});
}

Bert::Bert(const BertConfig& config, const TensorMap& weights, const std::string& origin) : Bert(config) {
  frozen::adopt([this](const EachParameter& each) { visit(each); }, encoder_alone(weights), origin,
                "Give the text model's weights together with its own config.json");
}

void Bert::visit(const EachParameter& each) {
  each("embeddings.word_embeddings.weight", tokens_, Role::kEmbedding);
  each("embeddings.position_embeddings.weight", positions_, Role::kToken);
  each("embeddings.token_type_embeddings.weight", types_, Role::kEmbedding);
  visit_layer("embeddings.LayerNorm", norm_, each);
  for (size_t i = 0; i < layers_.size(); ++i) {
    const std::string name = fmt::format("encoder.layer.{}.", i);
    Layer& layer = layers_[i];
    visit_layer(name + "attention.self.query", layer.q, each, Role::kBlockMatrix);
    visit_layer(name + "attention.self.key", layer.k, each, Role::kBlockMatrix);
    visit_layer(name + "attention.self.value", layer.v, each, Role::kBlockMatrix);
    visit_layer(name + "attention.output.dense", layer.out, each, Role::kBlockMatrix);
    visit_layer(name + "attention.output.LayerNorm", layer.norm1, each);
    visit_layer(name + "intermediate.dense", layer.up, each, Role::kBlockMatrix);
    visit_layer(name + "output.dense", layer.down, each, Role::kBlockMatrix);
    visit_layer(name + "output.LayerNorm", layer.norm2, each);
  }
}

Parameters Bert::parameters() const {
  return list_parameters([this](const EachParameter& each) { const_cast<Bert*>(this)->visit(each); });
}

void Bert::to(at::Device device) {
  frozen::move([this](const EachParameter& each) { visit(each); }, device);
}

Tensor Bert::operator()(const Tensor& ids) const {
  TORCH_CHECK(ids.dim() == 2 && ids.size(1) <= config_.max_position_embeddings, "ids of shape ", ids.sizes());
  Tensor x = norm_(at::embedding(tokens_, ids).to(at::kFloat) + types_[0] + positions_.narrow(0, 0, ids.size(1)));
  for (const Layer& layer : layers_) {
    const Tensor mixed =
        frozen::attend(layer.q(x), layer.k(x), layer.v(x), config_.num_attention_heads, /*causal=*/false);
    x = layer.norm1(x + layer.out(mixed));
    x = layer.norm2(x + layer.down(at::gelu(layer.up(x))));
  }
  return x;
}

}  // namespace uvic
