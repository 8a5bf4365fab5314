// Any file of weights: safetensors, PyTorch's zip and legacy formats, TorchScript.
#include "core/pickle/pth.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  look_at(read_weights(put("a.pth", bytes)).tensors);
}
