#include "app/model/language_model.h"

#include "app/cli/lm_options.h"
#include "app/model/model_weights.h"
#include "core/error.h"
#include "core/formats/base64.h"
#include "core/pickle/pth.h"

namespace uvic {
namespace {

constexpr const char* kTokenizerEntry = "uvic.tokenizer";
constexpr const char* kInitEntry = "uvic.init_sha256";

// The whole weights of adapters.
TensorMap join_adapters(const LmCard& card, const TensorMap& tensors, const std::string& origin,
                        const std::filesystem::path& given) {
  const std::filesystem::path base =
      given.empty() ? std::filesystem::path(card.config.init.file) : find_model_file(given);
  expect_base(base, card.init_sha256, origin, "`uvic convert --merge --base`:");
  const Cogformer net(cogformer_config(card.config.lm), card.config.train.seed);
  begin_with(net, load_language_model(base, at::kCPU), card.config.init);
  const Adapters adapters(net.parameters(), card.config.lora, card.config.train.seed, MatrixLayout::kInOut);
  load_into(adapters.parameters(), tensors, origin);
  return adapters.weights();
}

}  // namespace

std::map<std::string, std::string> LmCard::to_metadata() const {
  std::map<std::string, std::string> metadata{{"format", "pt"},  // what Python's safetensors expects of torch files
                                              {kConfigEntry, print_config<LmOptions>(config)},
                                              {kTokenizerEntry, to_base64(tokenizer.model())},
                                              {"uvic.step", std::to_string(step)},
                                              {"uvic.version", UVIC_VERSION}};
  if (!init_sha256.empty()) metadata[kInitEntry] = init_sha256;
  return metadata;
}

LmCard LmCard::from_metadata(const std::map<std::string, std::string>& metadata, const std::string& origin) {
  if (!metadata.contains(kConfigEntry) || !metadata.contains(kTokenizerEntry))
    fail("{} is no language model with its tokenizer: `uvic lm train` makes one", origin);
  LmCard card{.config = parse_config<LmOptions>(metadata.at(kConfigEntry), origin),
              .step = 0,
              .tokenizer =
                  Tokenizer::from_model(from_base64(metadata.at(kTokenizerEntry), origin + ": its tokenizer"), origin)};
  if (metadata.contains(kInitEntry)) card.init_sha256 = metadata.at(kInitEntry);
  const auto step = metadata.find("uvic.step");
  if (step != metadata.end() && !CLI::detail::lexical_cast(step->second, card.step))
    fail("{}: its metadata is damaged: uvic.step is '{}'", origin, step->second);
  card.config.lm = resolve(card.config.lm);
  if (card.config.lm.vocabulary != card.tokenizer.size())
    fail("{} is damaged: its tokenizer has {} pieces, the model {}", origin, card.tokenizer.size(),
         card.config.lm.vocabulary);
  return card;
}

LanguageModel load_language_model(const std::filesystem::path& path, at::Device device,
                                  const std::filesystem::path& base) {
  const std::filesystem::path file = find_model_file(path);
  TensorFile weights = read_weights(file);
  LmCard card = LmCard::from_metadata(weights.metadata, file.string());
  if (card.config.lora.rank > 0) {
    weights.tensors = join_adapters(card, weights.tensors, file.string(), base);
  } else if (!base.empty()) {
    fail("{} holds no adapters, so it has no base: leave out --base", file.string());
  }
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

void begin_with(const Cogformer& network, const LanguageModel& model, const InitConfig& init) {
  const at::NoGradGuard no_grad;
  const TensorMap weights = to_map(model.net.parameters()), own = to_map(network.parameters());
  constexpr const char* kFam = "fam_embedding";
  if (own.contains(kFam) && !weights.contains(kFam)) {
    const Tensor& fam = own.at(kFam);
    fam.mul_(weights.at("embedding.weight").std() / fam.std());
  }
  begin_with(network.parameters(), weights, init, model.path.string());
}

}  // namespace uvic
