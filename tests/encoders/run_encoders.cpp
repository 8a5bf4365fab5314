// uvic-run-encoders FOLDER IN OUT: what the frozen networks in FOLDER (as load_text_encoder and load_autoencoder find
// them) make of the "images" and "latents" in the safetensors file IN and of the "text" in its metadata: "ids",
// "states", "moments" and "decoded" in OUT. For comparison with other implementations.
#include "core/error.h"
#include "core/formats/safetensors.h"
#include "encoders/autoencoder_kl.h"
#include "encoders/text_encoder.h"

int main(int argc, char** argv) {
  using namespace uvic;
  if (argc != 4) {
    fmt::print(stderr, "usage: uvic-run-encoders FOLDER IN.safetensors OUT.safetensors\n");
    return 2;
  }
  try {
    const at::NoGradGuard no_grad;
    const TensorFile in = read_safetensors(argv[2]);
    const std::unique_ptr<TextEncoder> text = load_text_encoder(argv[1]);
    const AutoencoderKl autoencoder = load_autoencoder(argv[1]);
    const std::string& words = in.metadata.at("text");
    const Tokens tokens = text->tokens(words, text->most_tokens());
    write_safetensors(argv[3], {{{"ids", at::tensor(tokens.ids, at::kLong)},
                                 {"states", text->states(tokens)},
                                 {"moments", autoencoder.encode(in.tensors.at("images"))},
                                 {"decoded", autoencoder.decode(in.tensors.at("latents"))}},
                                {}});
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
