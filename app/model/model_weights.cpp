#include "app/model/model_weights.h"

#include <fmt/ranges.h>

#include "app/model/adapter_file.h"
#include "app/model/language_model.h"
#include "core/error.h"
#include "core/files.h"
#include "core/pickle/pth.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr const char* kBeginRemedy =
    "Give the model options (--model.*) of the file, or --init.allow: with 'new' what is missing keeps the values "
    "drawn "
    "for it, with 'missing' what is unexpected is left out, with 'new,missing' a tensor of another shape is both";

// The network of a run of adapters as it was when the run began, and its adapters on it.
TensorMap join_adapters(const ModelCard& card, const TensorMap& tensors, const std::string& origin, ModelWeights base) {
  const UVitConfig shape = resolve(card.config.model);
  expect_enough(parameter_count(shape), base.tensors, base.file.string());
  const UVit net(shape, card.config.train.seed);
  expect_classes(base, card.classes, card.config.init);
  begin_with(net.parameters(), base.tensors, card.config.init, base.file.string());
  const Adapters adapters(net.parameters(), card.config.lora, card.config.train.seed, MatrixLayout::kOutIn);
  load_into(adapters.parameters(), tensors, origin);
  return adapters.weights();
}

void tell(const char* what, const std::vector<std::string>& names) {
  if (!names.empty()) log_line(fmt::format("{}: {}", what, fmt::join(names, ", ")));
}

}  // namespace

void expect_base(const fs::path& base, const std::string& sha256, const std::string& adapters, const char* flag) {
  if (!fs::is_regular_file(base))
    fail("{} holds adapters of {}, which is not there: give that file with {} FILE (SHA-256 {})", adapters,
         base.string(), flag, sha256);
  if (const std::string has = sha256_of_file(base); has != sha256)
    fail("{} holds adapters of a file with SHA-256 {}, which {} is not (it has {}): give that file with {} FILE",
         adapters, sha256, base.string(), has, flag);
}

ModelWeights read_model_weights(const fs::path& path, const fs::path& given) {
  ModelWeights weights{.file = find_model_file(path), .sha256 = "", .tensors = {}, .card = {}};
  const std::string origin = weights.file.string();
  TensorFile file = read_weights(weights.file);
  if (file.metadata.contains(LmCard::kConfigEntry))
    fail("{} is a language model: `uvic lm generate` writes with it", origin);
  weights.sha256 = sha256_of_file(weights.file);
  weights.card = ModelCard::from_metadata(file.metadata, origin);
  weights.tensors = without_peft_prefix(std::move(file.tensors));
  weights.adapted = are_adapters(weights.tensors);
  if (!weights.adapted) {
    if (!given.empty()) fail("{} holds no adapters, so it has no base: leave out --base", origin);
    return weights;
  }
  if (!weights.card || weights.card->config.lora.rank == 0)
    fail("{} holds adapters, not a model: give the model they belong to with --model, and this file with --lora",
         origin);
  const fs::path base = given.empty() ? fs::path(weights.card->config.init.file) : find_model_file(given);
  expect_base(base, weights.card->init_sha256, origin, "--base");
  weights.tensors = join_adapters(*weights.card, weights.tensors, origin, read_model_weights(base));
  return weights;
}

void expect_classes(ModelWeights& weights, const std::vector<std::string>& classes, const InitConfig& init) {
  constexpr const char* kTable = "label_emb.weight";
  const bool known = weights.card && !weights.card->classes.empty() && !classes.empty();
  if (!known || weights.card->classes == classes) return;
  const Allowed allowed = parse_allowed(init.allow);
  if (!allowed.fresh || !allowed.missing)
    fail(
        "the classes of {} are others than those of the data ({}, not {}): give --init.allow new,missing to learn a "
        "new table of them, or take the data it was trained on",
        weights.file.string(), fmt::join(weights.card->classes, " "), fmt::join(classes, " "));
  if (weights.tensors.erase(kTable) > 0) tell("left out of the weights, since it is of other classes", {kTable});
}

void begin_with(const Parameters& network, const TensorMap& tensors, const InitConfig& init,
                const std::string& origin) {
  const Allowed allowed = parse_allowed(init.allow);
  Parameters target;
  TensorMap source = tensors;
  std::vector<std::string> fresh, left_out;
  for (const Parameter& p : network) {
    const auto found = source.find(p.name);
    const bool misshapen = found != source.end() && found->second.sizes() != p.tensor.sizes();
    if (misshapen && allowed.fresh && allowed.missing) {
      left_out.push_back(p.name);
      source.erase(found);
    }
    if (allowed.fresh && !source.contains(p.name))
      fresh.push_back(p.name);
    else
      target.push_back(p);
  }
  const TensorMap known = to_map(target);
  if (allowed.missing)
    std::erase_if(source, [&](const auto& entry) {
      const bool is_extra = !known.contains(entry.first);
      if (is_extra) left_out.push_back(entry.first);
      return is_extra;
    });
  expect_fit(target, source, origin, kBeginRemedy);
  for (const auto& [name, tensor] : source)
    if (!is_finite(tensor)) fail("{}: {} holds a non-finite number: take another copy of the file", origin, name);
  load_into(target, source, origin);
  tell("begins as drawn, since the weights lack it", fresh);
  tell("left out of the weights", left_out);
}

}  // namespace uvic
