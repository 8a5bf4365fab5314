#include "encoders/frozen_weights.h"

#include "core/error.h"

namespace uvic::frozen {
namespace {

void expect_finite(const std::string& name, const Tensor& tensor, const std::string& origin) {
  if (!is_finite(tensor)) fail("{}: {} holds a non-finite number", origin, name);
}

}  // namespace

void move(const VisitParameters& parameters, at::Device device) {
  parameters([&](const std::string&, Tensor& tensor, Role) { tensor = tensor.to(device); });
}

void adopt(const VisitParameters& parameters, const TensorMap& source, const std::string& origin,
           std::string_view remedy) {
  expect_fit(list_parameters(parameters), source, origin, remedy);
  parameters([&](const std::string& name, Tensor& tensor, Role) {
    tensor = source.at(name);
    expect_finite(name, tensor, origin);
  });
}

std::filesystem::path find_weights(const std::filesystem::path& folder, std::string_view what) {
  for (const char* stem : {"model", "diffusion_pytorch_model", "pytorch_model"})
    for (const char* ending : {".safetensors", ".safetensors.index.json", ".bin"})
      if (const auto file = folder / (std::string(stem) + ending); std::filesystem::exists(file)) return file;
  fail(
      "no weights of the {} in {}: expected model.safetensors, diffusion_pytorch_model.safetensors, their "
      ".index.json, or pytorch_model.bin",
      what, folder.string());
}

}  // namespace uvic::frozen
