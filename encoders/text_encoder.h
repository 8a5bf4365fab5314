// From words to the states a text-to-image model is conditioned on.
#pragma once

#include <filesystem>
#include <string>

#include "encoders/clip_text.h"
#include "encoders/clip_tokenizer.h"

namespace uvic {

struct TextEncoder {
  ClipTokenizer tokenizer;
  ClipText net;

  Tensor operator()(const std::string& text) const;  // [1, 77, D] float32, on the device of the network
};

// A folder as Hugging Face's libraries write it: config.json, weights and tokenizer files together, or text_encoder/
// and tokenizer/ in it, or text_encoder/ itself beside tokenizer/. OpenAI's bpe_simple_vocab_16e6.txt.gz may take the
// place of the tokenizer files. Error that names what is missing.
TextEncoder load_text_encoder(const std::filesystem::path& folder);

}  // namespace uvic
