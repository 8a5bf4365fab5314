// uvic-run-clip FOLDER IN OUT: what the CLIP in FOLDER makes of each picture, uint8 [3, H, W], in the safetensors file
// IN and of the "text" in its metadata: NAME.pixels and NAME.embedding of picture NAME, "ids" and "text" in OUT. For
// comparison with other implementations.
#include "core/error.h"
#include "core/formats/safetensors.h"
#include "encoders/clip.h"

int main(int argc, char** argv) {
  using namespace uvic;
  if (argc != 4) {
    fmt::print(stderr, "usage: uvic-run-clip FOLDER IN.safetensors OUT.safetensors\n");
    return 2;
  }
  try {
    const at::NoGradGuard no_grad;
    const TensorFile in = read_safetensors(argv[2]);
    const ClipModel clip = load_clip_model(argv[1]);
    const ClipConfig& config = clip.net.config();
    const Tokens tokens = clip.tokenizer.encode(in.metadata.at("text"), config.text.max_position_embeddings);
    TensorFile out;
    out.tensors["ids"] = at::tensor(tokens.ids, at::kLong);
    out.tensors["text"] = clip.net.of_text(tokens);
    for (const auto& [name, picture] : in.tensors) {
      const Tensor pixels = clip_input(picture, config.vision.image_size, name);
      out.tensors[name + ".pixels"] = pixels;
      out.tensors[name + ".embedding"] = clip.net.of_images(pixels.unsqueeze(0));
    }
    write_safetensors(argv[3], out);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
