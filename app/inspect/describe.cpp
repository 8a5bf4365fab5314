#include "app/inspect/describe.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "app/cli/lm_options.h"
#include "app/cli/options.h"
#include "app/cli/settings_json.h"
#include "app/model/language_model.h"
#include "app/model/model.h"
#include "app/training/resume.h"
#include "core/files.h"
#include "core/pickle/pth.h"
#include "core/pickle/pth_objects.h"
#include "core/text.h"
#include "transformer/attention.h"
#include "unet_vit/infer_config.h"

namespace uvic {
namespace {

std::string condition_of(const UVitConfig& model) {
  if (model.classes > 0) return fmt::format("class, one of {}", model.classes);
  if (model.vocabulary > 0) return fmt::format("text, up to {} of {} words", model.context_tokens, model.vocabulary);
  if (model.context_tokens > 0)
    return fmt::format("text, {} states of width {}", model.context_tokens, model.context_dim);
  return "none";
}

// Only what differs from the usual network.
std::string variations(const UVitConfig& model) {
  std::vector<std::string> list;
  if (model.mlp_ratio != UVitConfig{}.mlp_ratio) list.push_back(fmt::format("MLP ratio {}", model.mlp_ratio));
  if (model.qkv_bias) list.push_back("bias of queries, keys and values");
  if (model.mlp_time_embed) list.push_back("time MLP");
  if (!model.conv) list.push_back("no final convolution");
  if (!model.skip) list.push_back("no long skips");
  return fmt::format("{}", fmt::join(list, ", "));
}

// Of a config that has one.
std::string memory_of(const UVitConfig& model) {
  const std::string window = fmt::format("blocks of {} patches, each sees {} more {}", model.block, model.segments,
                                         sees_both_sides(model) ? "to each side" : "before it");
  if (patch_memory(model) == PatchMemory::kWindow) return window;
  return fmt::format("{} vectors fed back; {}", model.fam_length, window);
}

Fields describe_network(const UVitConfig& model) {
  Fields fields{{"depth", model.depth}, {"dim", model.dim}};
  if (model.heads > 0) fields["heads"] = model.heads;
  fields["patch"] = model.patch;
  fields["channels"] = model.channels;
  if (model.image_size > 0) fields["image_size"] = model.image_size;
  if (const std::string list = variations(model); !list.empty()) fields["variation"] = list;
  return fields;
}

Fields describe_inferred(const InferredConfig& inferred) {
  const UVitConfig& model = inferred.model;
  std::vector<std::string> networks;  // the weights do not tell
  for (const auto& kind : attention_kinds()) networks.push_back(kind.value.network);
  const std::string size = model.size.empty() ? "" : ", size " + model.size;
  Fields fields{{"network", fmt::format("{}{}", fmt::join(networks, " or "), size)}};
  fields.update(describe_network(model));
  if (inferred.guessed && model.context_tokens == 0)
    fields["condition"] =
        fmt::format("text, states of width {}; tokens cannot be told from patches", model.context_dim);
  else
    fields["condition"] = condition_of(model) + (inferred.guessed ? " (if that is the number of tokens)" : "");
  if (patch_memory(model) == PatchMemory::kFeedback)
    fields["memory"] = fmt::format("{} vectors fed back", model.fam_length);
  fields["unknown"] =
      "heads, attention kind, blocks of patches if any, schedule: not in the weights, see `uvic convert --help`";
  return fields;
}

}  // namespace

Fields describe_config(const RunConfig& config) {
  const UVitConfig model = resolve(config.model);
  const char* network = find(attention_kinds(), model.attention, "attention kind").value.network;
  Fields fields;
  const UVitSize row = find(uvit_sizes(), model.size, "model size").value;
  const bool is_of_size = row.depth == model.depth && row.dim == model.dim && row.heads == model.heads;
  fields["model"] = {{"network", is_of_size ? fmt::format("{}, size {}", network, model.size) : network}};
  fields["model"].update(describe_network(model));
  fields["model"]["condition"] = condition_of(model);
  fields["model"]["attention"] = model.attention == model.end_attention
                                     ? model.attention
                                     : fmt::format("{}, {} at the ends", model.attention, model.end_attention);
  if (patch_memory(model) != PatchMemory::kNone) fields["model"]["memory"] = memory_of(model);
  fields["training"] = {{"data", config.data.spec},
                        {"schedule", config.schedule.kind},
                        {"objective", fmt::format("{} prediction, {} weighting", config.objective.prediction,
                                                  config.objective.weighting)},
                        {"steps", config.train.steps},
                        {"batch", config.train.batch * config.train.accumulate},
                        {"optimizer", config.train.optimizer},
                        {"lr", config.train.lr},
                        {"precision", config.train.precision},
                        {"seed", config.train.seed}};
  if (!config.init.file.empty()) fields["training"]["init"] = config.init.file;
  if (const auto& [rank, alpha] = config.lora; rank > 0)
    fields["training"]["adapters"] =
        fmt::format("rank {}, alpha {}", rank, alpha > 0 ? alpha : static_cast<double>(rank));
  if (!config.data.text_encoder.empty()) fields["training"]["text_encoder"] = config.data.text_encoder;
  add_settings(fields["sampling"], config.sample);
  return fields;
}

Fields describe_config(const LmRunConfig& config) {
  const LmConfig lm = resolve(config.lm);
  std::string memory = lm.memory;
  if (lm.memory != "none") memory += fmt::format(", blocks of {}, {} segments", lm.block, lm.segments);
  if (lm.memory == "fam") memory += fmt::format(", {} vectors", lm.fam_length);
  return {
      {"language_model", fmt::format("{} ({}), {} layers, width {}, {} heads of {}, {} pieces", lm.size, lm.attention,
                                     lm.layers, lm.dim, lm.heads, lm.head_dim, lm.vocabulary)},
      {"memory", memory},
      {"data", fmt::format("{}, rows of {} tokens", config.data.spec, config.data.length)},
      {"training", fmt::format("{}, batch {}, lr {}, {}", config.train.optimizer,
                               config.train.batch * config.train.accumulate, config.train.lr, config.train.precision)}};
}

std::pair<int64_t, Fields> describe_config(const RunFolder& run) {
  const auto described = [](const auto& config) { return std::pair(config.train.steps, describe_config(config)); };
  return trains_language_model(run) ? described(config_of_run<LmOptions>(run))
                                    : described(config_of_run<RunOptions>(run));
}

Fields describe_weights(const fs::path& file, bool list_tensors) {
  const TensorFile weights = read_weights(file);
  int64_t parameters = 0;
  std::map<std::string, int64_t> dtypes;
  for (const auto& [name, tensor] : weights.tensors) {
    parameters += tensor.numel();
    ++dtypes[dtype_name(tensor.scalar_type())];
  }
  Fields fields{{"file", file.string()},          {"bytes", fs::file_size(file)},
                {"sha256", sha256_of_file(file)}, {"tensors", weights.tensors.size()},
                {"parameters", parameters},       {"types", dtypes}};
  if (weights.metadata.contains(LmCard::kConfigEntry)) {
    const LmCard card = LmCard::from_metadata(weights.metadata, file.string());
    fields["step"] = card.step;
    fields.update(describe_config(card.config));
  } else if (const auto card = ModelCard::from_metadata(weights.metadata, file.string())) {
    fields["step"] = card->step;
    const auto version = weights.metadata.find("uvic.version");
    if (version != weights.metadata.end()) fields["uvic_version"] = version->second;
    if (!card->classes.empty()) fields["classes"] = card->classes;
    if (!card->init_sha256.empty()) fields["init_sha256"] = card->init_sha256;
    if (card->vocabulary) fields["vocabulary"] = fmt::format("{} words", card->vocabulary->size());
    fields.update(describe_config(card->config));
  } else if (const auto inferred = infer_config(weights.tensors)) {
    fields["model"] = describe_inferred(*inferred);
  }
  for (const auto& [key, value] : weights.metadata)
    if (!key.starts_with("uvic.") && key != "format") fields["metadata"][key] = value;
  if (list_tensors)
    for (const auto& [name, tensor] : weights.tensors)
      fields["all_tensors"][name] =
          fmt::format("{} [{}]", dtype_name(tensor.scalar_type()), fmt::join(tensor.sizes(), ", "));
  return fields;
}

}  // namespace uvic
