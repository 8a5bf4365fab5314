#include "eval/feats.h"

#include "core/error.h"
#include "core/formats/safetensors.h"

namespace uvic {
namespace {

struct Part {
  const char* name;
  Tensor Activations::*member;
};
constexpr Part kParts[] = {
    {"features", &Activations::features}, {"logits", &Activations::logits}, {"spatial", &Activations::spatial}};
constexpr const char* kKeys = "keys";

}  // namespace

FeatsFile read_feats(const std::filesystem::path& path) {
  const TensorFile file = read_safetensors(path);
  FeatsFile feats{{}, {}, file.metadata};
  for (const Part& part : kParts) {
    const auto found = file.tensors.find(part.name);
    if (found == file.tensors.end()) continue;
    const Tensor& rows = found->second;
    if (rows.dim() != 2 || rows.scalar_type() != at::kFloat)
      fail("{}: '{}' is not a [N, D] float32 tensor", path.string(), part.name);
    if (!is_finite(rows)) fail("{}: '{}' holds a non-finite number", path.string(), part.name);
    feats.activations.*part.member = rows;
  }
  const Tensor& features = feats.activations.features;
  if (!features.defined())
    fail("{}: no tensor 'features'; a .feats file is what `uvic stats SOURCE --out FILE.feats` writes", path.string());
  if (features.numel() == 0)
    fail("{}: 'features' is [{}, {}], which holds none", path.string(), features.size(0), features.size(1));
  for (const Part& part : kParts)
    if (const Tensor& rows = feats.activations.*part.member; rows.defined() && rows.size(0) != features.size(0))
      fail("{}: {} rows of {}, {} of features", path.string(), rows.size(0), part.name, features.size(0));
  if (const auto keys = file.tensors.find(kKeys); keys != file.tensors.end()) {
    feats.keys = keys->second;
    if (feats.keys.dim() != 1 || feats.keys.size(0) != features.size(0) || feats.keys.scalar_type() != at::kLong)
      fail("{}: '{}' is not a [{}] int64 tensor", path.string(), kKeys, features.size(0));
  }
  return feats;
}

void write_feats(const std::filesystem::path& path, const FeatsFile& file) {
  TensorFile out{{}, file.notes};
  for (const Part& part : kParts)
    if (const Tensor& rows = file.activations.*part.member; rows.defined()) out.tensors[part.name] = rows;
  if (file.keys.defined()) out.tensors[kKeys] = file.keys;
  write_safetensors(path, out);
}

}  // namespace uvic
