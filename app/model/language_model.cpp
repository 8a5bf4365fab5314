#include "app/model/language_model.h"

#include "app/cli/lm_options.h"
#include "app/model/model.h"
#include "core/base64.h"
#include "core/error.h"
#include "core/pickle/pth.h"

namespace uvic {
namespace {

constexpr const char* kTokenizerEntry = "uvic.tokenizer";

}  // namespace

std::map<std::string, std::string> LmCard::to_metadata() const {
  return {{"format", "pt"},  // what Python's safetensors expects of torch files
          {kConfigEntry, print_config<LmOptions>(config)},
          {kTokenizerEntry, to_base64(tokenizer.model())},
          {"uvic.step", std::to_string(step)},
          {"uvic.version", UVIC_VERSION}};
}

LmCard LmCard::from_metadata(const std::map<std::string, std::string>& metadata, const std::string& origin) {
  if (!metadata.contains(kConfigEntry) || !metadata.contains(kTokenizerEntry))
    fail("{} is no language model with its tokenizer: `uvic lm train` makes one", origin);
  LmCard card{.config = parse_config<LmOptions>(metadata.at(kConfigEntry), origin),
              .step = 0,
              .tokenizer =
                  Tokenizer::from_model(from_base64(metadata.at(kTokenizerEntry), origin + ": its tokenizer"), origin)};
  const auto step = metadata.find("uvic.step");
  if (step != metadata.end() && !CLI::detail::lexical_cast(step->second, card.step))
    fail("{}: its metadata is damaged: uvic.step is '{}'", origin, step->second);
  card.config.lm = resolve(card.config.lm);
  if (card.config.lm.vocabulary != card.tokenizer.size())
    fail("{} is damaged: its tokenizer has {} pieces, the model {}", origin, card.tokenizer.size(),
         card.config.lm.vocabulary);
  return card;
}

LanguageModel load_language_model(const std::filesystem::path& path, at::Device device) {
  const std::filesystem::path file = find_model_file(path);
  const TensorFile weights = read_weights(file);
  LmCard card = LmCard::from_metadata(weights.metadata, file.string());
  expect_enough(parameter_count(card.config.lm), weights.tensors, file.string());
  Cogformer net(cogformer_config(card.config.lm));
  load_into(net.parameters(), weights.tensors, file.string());
  for (const Parameter& p : net.parameters())
    if (!is_finite(p.tensor))
      fail("{}: {} holds a non-finite number: take another copy of the file, or another checkpoint", file.string(),
           p.name);
  net.to(device, at::kFloat);
  return {.path = file, .card = std::move(card), .net = std::move(net), .device = device};
}

}  // namespace uvic
