#include "app/model/model.h"

#include <algorithm>
#include <charconv>

#include "app/cli/options.h"
#include "app/model/bundle.h"
#include "app/model/identify.h"
#include "app/model/model_weights.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "train/run_folder.h"

namespace uvic {

namespace {

std::vector<std::string> parse_classes(const std::string& text, const std::string& origin) {
  const nlohmann::json names = parse_json(text, origin + ": uvic.classes in its metadata");
  const auto is_name = [](const nlohmann::json& name) { return name.is_string(); };
  if (!names.is_array() || !std::ranges::all_of(names, is_name))
    fail("{}: its metadata is damaged: uvic.classes is no list of names", origin);
  return names;
}

}  // namespace

std::map<std::string, std::string> ModelCard::to_metadata() const {
  std::map<std::string, std::string> metadata{{"format", "pt"},  // what Python's safetensors expects of torch files
                                              {kConfigEntry, print_config<RunOptions>(config)},
                                              {"uvic.step", std::to_string(step)},
                                              {"uvic.version", UVIC_VERSION}};
  if (!classes.empty()) metadata["uvic.classes"] = nlohmann::json(classes).dump();
  if (vocabulary) metadata["uvic.vocabulary"] = vocabulary->to_text();
  if (!text_encoder.empty()) metadata["uvic.text_encoder"] = text_encoder;
  if (!init_sha256.empty()) metadata["uvic.init_sha256"] = init_sha256;
  return metadata;
}

std::optional<ModelCard> ModelCard::from_metadata(const std::map<std::string, std::string>& metadata,
                                                  const std::string& origin) {
  if (!metadata.count(kConfigEntry)) return std::nullopt;
  ModelCard card;
  card.config = parse_config<RunOptions>(metadata.at(kConfigEntry), origin);
  if (metadata.count("uvic.step")) {
    const std::string& text = metadata.at("uvic.step");
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), card.step);
    if (error != std::errc() || end != text.data() + text.size() || card.step < 0)
      fail("{}: its metadata is damaged: uvic.step is '{}'", origin, text);
  }
  if (metadata.count("uvic.classes")) card.classes = parse_classes(metadata.at("uvic.classes"), origin);
  if (metadata.count("uvic.vocabulary")) card.vocabulary = Vocabulary::from_text(metadata.at("uvic.vocabulary"));
  if (metadata.count("uvic.text_encoder")) card.text_encoder = metadata.at("uvic.text_encoder");
  if (metadata.count("uvic.init_sha256")) card.init_sha256 = metadata.at("uvic.init_sha256");
  return card;
}

fs::path find_model_file(const fs::path& path) {
  switch (identify(path)) {
    case PathKind::kMissing:
      fail("no model at '{}': expected a run folder, a checkpoint folder, .safetensors or .pth", path.string());
    case PathKind::kRun:
      return RunFolder::open(path).best() / kAveragedWeights[0];
    case PathKind::kBundle:
      return bundled_model(path);
    case PathKind::kCheckpoint:
      for (const char* name : kAveragedWeights)
        if (fs::exists(path / name)) return path / name;
      [[fallthrough]];
    case PathKind::kFolder:
      fail(
          "{} is neither a run folder (config.toml), nor a checkpoint (model_ema.safetensors), nor a bundle "
          "(model_index.json), nor a U-ViT checkpoint (nnet_ema.pth)",
          path.string());
    default:
      return path;  // whoever reads it says what is wrong with it
  }
}

std::string model_name(const fs::path& path, const fs::path& file) {
  return fs::is_directory(path) ? folder_name(path) : file.stem().string();
}

Model load_model(const fs::path& path, at::Device device, const std::optional<RunConfig>& fallback,
                 const fs::path& base) {
  const ModelWeights weights = read_model_weights(path, base);
  const fs::path& file = weights.file;
  std::optional<ModelCard> card = weights.card;
  if (!card && fallback) card = ModelCard{.config = *fallback, .step = 0, .classes = {}, .vocabulary = {}};
  if (!card)
    fail(
        "{} does not say how its model is built: give the --preset NAME or --config FILE of its training, and "
        "--model.* where they differ",
        file.string());

  expect_enough(parameter_count(resolve(card->config.model)), weights.tensors, file.string());
  Model model{.path = file,
              .name = model_name(path, file),
              .hash = weights.sha256.substr(0, kShortHash),
              .card = *card,
              .net = UVit(card->config.model),
              .schedule = make_schedule(card->config.schedule),
              .device = device};
  load_into(model.net.parameters(), weights.tensors, file.string());
  for (const Parameter& p : model.net.parameters())
    if (!is_finite(p.tensor))
      fail("{}: {} holds a non-finite number: take another copy of the file, or another checkpoint", file.string(),
           p.name);
  model.net.to(device, at::kFloat);
  if (is_bundle(path)) attach_encoders(model, bundled_encoders(path));
  return model;
}

void set_precision(Model& model, at::ScalarType precision) {
  model.precision = precision;
  model.net.store_matrices(precision);
}

}  // namespace uvic
