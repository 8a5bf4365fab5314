// state.json of a checkpoint.
#include "tests/fuzz/fuzz.h"
#include "train/run_folder.h"

FUZZ(bytes) {
  static const std::string tensors = [] {  // an empty one, 72 bytes
    std::string text = R"({"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})";
    text.resize(64, ' ');
    return std::string("\x40\0\0\0\0\0\0\0", 8) + text;
  }();
  for (const char* name : {"model", "model_ema", "optimizer"})
    put("checkpoint-5/" + std::string(name) + ".safetensors", tensors);
  put("checkpoint-5/state.json", bytes);
  RunFolder::load(folder() / "checkpoint-5");
}
