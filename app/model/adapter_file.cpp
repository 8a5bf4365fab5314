#include "app/model/adapter_file.h"

#include "app/cli/checks.h"
#include "app/model/model_weights.h"
#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/pickle/pth.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr std::string_view kPeftPrefix = "base_model.model.", kLoraA = ".lora_A.weight";
constexpr const char *kPeftConfig = "adapter_config.json",
                     *kPeftWeights[] = {"adapter_model.safetensors", "adapter_model.bin"};

fs::path find_adapters(const fs::path& path) {
  for (const char* name : kPeftWeights)
    if (fs::exists(path / name)) return path / name;
  if (!fs::exists(path))
    fail("no adapters at '{}': expected a .safetensors, a folder as PEFT writes it, a run or a checkpoint",
         path.string());
  if (fs::is_directory(path) && fs::exists(path / kPeftConfig))
    fail("{} has {}, and no {} beside it", path.string(), kPeftConfig, kPeftWeights[0]);
  return find_model_file(path);
}

AdapterConfig config_of_adapters(const fs::path& file, const std::optional<ModelCard>& card) {
  const fs::path beside = file.parent_path() / kPeftConfig;
  if (fs::exists(beside))
    return parse_adapter_config(read_file(beside, "config of adapters"), "the config " + beside.string());
  if (card && card->config.lora.rank > 0) {
    const LoraConfig& lora = card->config.lora;
    return {.rank = lora.rank, .alpha = lora.alpha > 0 ? lora.alpha : static_cast<double>(lora.rank)};
  }
  log_line(fmt::format("note: {} does not say its alpha, and there is no {} beside it: it is taken for the rank",
                       file.string(), kPeftConfig));
  return {};
}

struct AdapterArgument {
  fs::path path;
  double weight = 1;
};

// A path may have colons itself.
AdapterArgument parse_adapter_argument(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (fs::exists(text) || colon == std::string::npos) return {text};
  const std::string weight = text.substr(colon + 1);
  if (!is_number<double>(weight))
    fail("no adapters at '{}', nor is '{}' a weight: expected PATH or PATH:WEIGHT", text, weight);
  return {text.substr(0, colon), std::strtod(weight.c_str(), nullptr)};
}

}  // namespace

TensorMap without_peft_prefix(TensorMap tensors) {
  TensorMap renamed;
  for (auto& [name, tensor] : tensors)
    renamed[name.starts_with(kPeftPrefix) ? name.substr(kPeftPrefix.size()) : name] = tensor;
  return renamed;
}

AdapterFile read_adapter_file(const fs::path& path) {
  const fs::path file = find_adapters(path);
  TensorFile weights = read_weights(file);
  const auto card = ModelCard::from_metadata(weights.metadata, file.string());
  AdapterFile adapters{.file = file,
                       .use = {.name = model_name(path, file), .hash = sha256_of_file(file).substr(0, kShortHash)},
                       .tensors = without_peft_prefix(std::move(weights.tensors)),
                       .config = {},
                       .base_sha256 = card ? card->init_sha256 : ""};
  if (!are_adapters(adapters.tensors))
    fail("{} holds no adapters (NAME.lora_A.weight and NAME.lora_B.weight): is it a model? Give that with --model",
         file.string());
  adapters.config = config_of_adapters(file, card);
  return adapters;
}

void apply_adapters(Model& model, const std::string& argument) {
  const auto [path, weight] = parse_adapter_argument(argument);
  AdapterFile adapters = read_adapter_file(path);
  const AdapterConfig& config = adapters.config;
  const auto alpha = [&config](int64_t rank) {
    return config.rank > 0 ? config.alpha_of(rank) : static_cast<double>(rank);
  };
  add_adapters(model.net.parameters(), adapters.tensors, alpha, weight, adapters.file.string());
  if (!adapters.base_sha256.empty() && !model.hash.empty() && !adapters.base_sha256.starts_with(model.hash))
    warn(fmt::format("{} was trained on another file than {}: what it adds may not fit", adapters.file.string(),
                     model.path.string()));
  adapters.use.weight = weight;
  model.adapters.push_back(adapters.use);
}

void write_peft_folder(const fs::path& folder, const TensorFile& adapters, const ModelCard& card) {
  TensorFile named{{}, adapters.metadata};
  std::vector<std::string> modules;
  for (const auto& [name, tensor] : without_peft_prefix(adapters.tensors)) {
    named.tensors[std::string(kPeftPrefix) + name] = tensor;
    if (name.ends_with(kLoraA)) modules.push_back(name.substr(0, name.size() - kLoraA.size()));
  }
  write_safetensors(folder / kPeftWeights[0], named);
  write_json(folder / kPeftConfig, make_adapter_config(card.config.lora, modules, card.config.init.file));
}

}  // namespace uvic
