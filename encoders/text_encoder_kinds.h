// The kinds of text encoders, and what they share.
#pragma once

#include "core/error.h"
#include "encoders/text_encoder.h"

namespace uvic {

std::unique_ptr<TextEncoder> load_clip(const TextEncoderFiles& files);
std::unique_ptr<TextEncoder> load_bert(const TextEncoderFiles& files);

template <typename Network>
class NetworkTextEncoder : public TextEncoder {
 public:
  explicit NetworkTextEncoder(Network network) : net_(std::move(network)) {}

  int64_t most_tokens() const override { return net_.config().max_position_embeddings; }
  int64_t width() const override { return net_.config().hidden_size; }
  Parameters parameters() const override { return net_.parameters(); }
  void to(at::Device device) override { net_.to(device); }

 protected:
  // Of one text, without its padding if `used` says so.
  Tensor read(const Tokens& tokens, int64_t used) const {
    return net_(at::tensor(tokens.ids, at::kLong).narrow(0, 0, used).unsqueeze(0).to(net_.device()));
  }

  Network net_;
};

// Error unless a network of `vocab_size` tokens has one for each id that the tokenizer gives.
inline void expect_together(int64_t largest_id, int64_t vocab_size, const TextEncoderFiles& files) {
  if (largest_id >= vocab_size)
    fail("the tokenizer in {} has ids up to {}, the text encoder in {} only {} tokens: they do not belong together",
         files.tokenizer.string(), largest_id, files.network.string(), vocab_size);
}

}  // namespace uvic
