#include "core/formats/safetensors_index.h"

#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"

namespace uvic {
namespace {

using nlohmann::json;

json read_weight_map(const fs::path& index) {
  const json root = read_json(index, "index of weights");
  if (!root.is_object() || !root.contains("weight_map") || !root["weight_map"].is_object())
    fail("{} is no index of weights: it has no \"weight_map\"", index.string());
  return root["weight_map"];
}

}  // namespace

TensorFile read_sharded_safetensors(const fs::path& index) {
  TensorFile whole;
  std::map<std::string, TensorMap> shards;
  const json places = read_weight_map(index);
  for (const auto& [tensor, place] : places.items()) {
    const std::string file = place.is_string() ? place.get<std::string>() : "";
    if (file.empty() || fs::path(file).filename() != file)
      fail("{}: the place of '{}' is {}, expected the name of a file beside it", index.string(), tensor, place.dump());
    if (!shards.contains(file)) {
      TensorFile shard = read_safetensors(index.parent_path() / file);
      shards[file] = std::move(shard.tensors);
      whole.metadata.merge(shard.metadata);
    }
    auto found = shards[file].extract(tensor);
    if (found.empty()) fail("{} has no tensor '{}', which {} puts there", file, tensor, index.string());
    whole.tensors.insert(std::move(found));
  }
  for (const auto& [file, left] : shards)
    if (!left.empty()) fail("{} has a tensor '{}' that {} does not name", file, left.begin()->first, index.string());
  return whole;
}

}  // namespace uvic
