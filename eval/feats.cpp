#include "eval/feats.h"

#include "core/error.h"
#include "core/formats/safetensors.h"
#include "eval/stats_shard.h"

namespace uvic {
namespace {

struct Part {
  const char* name;
  Tensor Activations::*member;
};
constexpr Part kParts[] = {
    {"features", &Activations::features}, {"logits", &Activations::logits}, {"spatial", &Activations::spatial}};
constexpr const char *kKeys = "keys", *kPlaces = "places";

// One whole number a row; undefined if the file has none.
Tensor numbers_in(const TensorFile& file, const char* name, int64_t rows, const std::string& path) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) return {};
  const Tensor& numbers = found->second;
  if (numbers.dim() != 1 || numbers.size(0) != rows || numbers.scalar_type() != at::kLong)
    fail("{}: '{}' is not a [{}] int64 tensor", path, name, rows);
  return numbers;
}

}  // namespace

FeatsFile read_feats(const std::filesystem::path& path) {
  const TensorFile file = read_safetensors(path);
  FeatsFile feats{{}, {}, {}, file.metadata};
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
  const bool is_shard = feats.notes.contains(kShardNote);
  if (!features.defined() && !is_shard)
    fail("{}: no tensor 'features'; a .feats file is what `uvic stats SOURCE --out FILE.feats` writes", path.string());
  if (features.defined() && features.numel() == 0)
    fail("{}: 'features' is [{}, {}], which holds none", path.string(), features.size(0), features.size(1));
  const int64_t images = features.defined() ? features.size(0) : 0;
  for (const Part& part : kParts)
    if (const Tensor& rows = feats.activations.*part.member; rows.defined() && rows.size(0) != images)
      fail("{}: {} rows of {}, {} of features", path.string(), rows.size(0), part.name, images);
  feats.keys = numbers_in(file, kKeys, images, path.string());
  feats.places = numbers_in(file, kPlaces, images, path.string());
  if (is_shard && !feats.notes.contains("unfinished") && !(feats.keys.defined() && feats.places.defined()))
    fail("{} is damaged: a shard has '{}' and '{}'", path.string(), kKeys, kPlaces);
  return feats;
}

void write_feats(const std::filesystem::path& path, const FeatsFile& file) {
  TensorFile out{{}, file.notes};
  for (const Part& part : kParts)
    if (const Tensor& rows = file.activations.*part.member; rows.defined()) out.tensors[part.name] = rows;
  if (file.keys.defined()) out.tensors[kKeys] = file.keys;
  if (file.places.defined()) out.tensors[kPlaces] = file.places;
  write_safetensors(path, out);
}

}  // namespace uvic
