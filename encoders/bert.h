// The encoder of BERT (Devlin et al., arXiv 1810.04805), which MiniLM and other sentence encoders are.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/parameters.h"
#include "encoders/frozen_weights.h"
#include "transformer/frozen.h"

namespace uvic {

// With the names and defaults of Hugging Face's BertConfig; hidden_act is exact GELU.
struct BertConfig {
  int64_t vocab_size = 30522;
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t max_position_embeddings = 512;
  int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
};

// A config.json of BertModel. Error names `origin` and the field.
BertConfig parse_bert_config(const nlohmann::json& config, const std::string& origin);
nlohmann::json to_json(const BertConfig& config);

class Bert {
 public:
  explicit Bert(const BertConfig& config);  // shapes without weights
  // Weights under Hugging Face's names, with or without "bert." in front; the pooler does not count. They are not
  // copied. Strict both ways; `origin` names them in errors.
  Bert(const BertConfig& config, const TensorMap& weights, const std::string& origin);

  // [B, N] int64 ids without padding, N up to max_position_embeddings -> [B, N, hidden_size] float32, the states of the
  // last layer. Every token sees all others.
  Tensor operator()(const Tensor& ids) const;

  const BertConfig& config() const { return config_; }
  Parameters parameters() const;
  at::Device device() const { return tokens_.device(); }
  void to(at::Device device);

 private:
  struct Layer {
    frozen::Linear q, k, v, out, up, down;
    frozen::LayerNorm norm1, norm2;
  };
  void visit(const EachParameter& each);

  BertConfig config_;
  Tensor tokens_, positions_, types_;
  frozen::LayerNorm norm_;
  std::vector<Layer> layers_;
};

}  // namespace uvic
