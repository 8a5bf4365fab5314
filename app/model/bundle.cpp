#include "app/model/bundle.h"

#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/interrupt.h"
#include "core/pickle/pth.h"
#include "core/progress.h"

namespace uvic {
namespace {

using nlohmann::ordered_json;

constexpr const char *kIndex = "model_index.json", *kTransformer = "transformer", *kVae = "vae",
                     *kText = "text_encoder", *kTokenizer = "tokenizer", *kScheduler = "scheduler",
                     *kConfig = "config.json";
constexpr const char *kDiffusionWeights = "diffusion_pytorch_model.safetensors", *kTextWeights = "model.safetensors";

void write_weights(const fs::path& file, const Parameters& parameters) {
  write_safetensors(file, {to_map(parameters), {{"format", "pt"}}});
}

void write_transformer(const fs::path& folder, const Model& model) {
  ModelCard card = model.card;
  card.config.data.latent_scale = model.latent_scale;
  const bool adapted = card.config.lora.rank > 0 || !model.adapters.empty();
  card.config.lora = {};
  write_safetensors(folder / kDiffusionWeights,
                    {adapted ? to_map(model.net.parameters()) : read_weights(model.path).tensors, card.to_metadata()});
  const UVitConfig& c = model.net.config();
  write_json(folder / kConfig, {{"_class_name", "UVit"},
                                {"sample_size", c.image_size},
                                {"patch_size", c.patch},
                                {"in_channels", c.channels},
                                {"num_layers", c.depth / 2 * 2 + 1},
                                {"num_attention_heads", c.heads},
                                {"attention_head_dim", c.dim / c.heads},
                                {"cross_attention_dim", c.context_dim},
                                {"attention", c.attention}});
}

// Error if diffusers has no config for such an autoencoder.
ordered_json vae_config(const Model& model) {
  const AutoencoderConfig& c = model.autoencoder->config();
  for (const bool attention : c.attention)
    if (attention)
      fail("an autoencoder with attention outside its middle has no config in diffusers: it cannot be bundled");
  if (!c.double_z || c.stem != c.channels.front() || c.z_channels != c.embed_dim)
    fail(
        "an autoencoder without variances, or with widths of its own for stem or latents, has no config in diffusers: "
        "it cannot be bundled");
  return {{"_class_name", "AutoencoderKL"},
          {"act_fn", "silu"},
          {"in_channels", c.in_channels},
          {"out_channels", c.out_channels},
          {"latent_channels", c.z_channels},
          {"block_out_channels", c.channels},
          {"down_block_types", std::vector<std::string>(c.channels.size(), "DownEncoderBlock2D")},
          {"up_block_types", std::vector<std::string>(c.channels.size(), "UpDecoderBlock2D")},
          {"layers_per_block", c.res_blocks},
          {"norm_num_groups", c.groups},
          {"sample_size", picture_size(model)},
          {"scaling_factor", model.latent_scale}};
}

// Names of diffusers for what a discrete schedule and an objective are called here.
struct Renamed {
  std::string_view here, there;
};
constexpr Renamed kSchedules[] = {
    {"scaled-linear", "scaled_linear"}, {"linear", "linear"}, {"cosine", "squaredcos_cap_v2"}};
constexpr Renamed kPredictions[] = {{"eps", "epsilon"}, {"x0", "sample"}, {"v", "v_prediction"}};

std::optional<std::string> renamed(std::span<const Renamed> table, const std::string& name) {
  for (const auto& [here, there] : table)
    if (here == name) return std::string(there);
  return std::nullopt;
}

// Nothing if diffusers has no such schedule (continuous time) or prediction.
std::optional<ordered_json> scheduler_config(const Model& model) {
  const auto schedule = renamed(kSchedules, model.card.config.schedule.kind);
  const auto prediction = renamed(kPredictions, model.card.config.objective.prediction);
  if (!schedule || !prediction) return std::nullopt;
  const int64_t steps = model.schedule->steps();
  // Schedule::beta is a rate per unit of time, and multiplying it back leaves a last digit of rounding.
  const auto beta = [&](int64_t step) {
    const double n = static_cast<double>(steps);
    return std::round(model.schedule->beta(static_cast<double>(step) / n) / n * 1e12) / 1e12;
  };
  return ordered_json{{"_class_name", "DPMSolverSinglestepScheduler"},
                      {"num_train_timesteps", steps},
                      {"beta_schedule", *schedule},
                      {"beta_start", beta(1)},
                      {"beta_end", beta(steps)},
                      {"prediction_type", *prediction},
                      {"algorithm_type", "dpmsolver++"},
                      {"solver_order", 3}};
}

}  // namespace

bool is_bundle(const fs::path& path) {
  return fs::exists(path / kIndex);
}

fs::path bundled_model(const fs::path& bundle) {
  const fs::path file = bundle / kTransformer / kDiffusionWeights;
  if (!fs::exists(file))
    fail("{} is not a bundle of uvic: it has no {}/{}", bundle.string(), kTransformer, kDiffusionWeights);
  return file;
}

EncoderFiles bundled_encoders(const fs::path& bundle) {
  EncoderFiles files;
  if (fs::exists(bundle / kVae)) files.autoencoder = bundle / kVae;
  if (fs::exists(bundle / kText)) files.text = bundle / kText;
  return files;
}

void write_bundle(const fs::path& given, const Model& model) {
  fs::path folder = fs::absolute(given).lexically_normal();
  if (!folder.has_filename()) folder = folder.parent_path();  // a slash at the end
  if (fs::exists(folder)) fail("'{}' exists: choose another name", given.string());
  // What cannot be said in a config is known before the large files are written.
  const auto vae = model.autoencoder ? std::optional(vae_config(model)) : std::nullopt;
  const auto scheduler = scheduler_config(model);
  const fs::path unfinished = folder.string() + fmt::format(".tmp{}", ::getpid());
  try {
    ordered_json index = {{"_class_name", "UVicPipeline"}, {kTransformer, {"uvic", "UVit"}}};
    write_transformer(unfinished / kTransformer, model);
    stop_if_interrupted();
    if (vae) {
      write_weights(unfinished / kVae / kDiffusionWeights, model.autoencoder->parameters());
      write_json(unfinished / kVae / kConfig, *vae);
      index[kVae] = {"diffusers", "AutoencoderKL"};
      stop_if_interrupted();
    }
    if (model.text) {
      write_weights(unfinished / kText / kTextWeights, model.text->parameters());
      model.text->write_configs(unfinished / kText, unfinished / kTokenizer);
      index[kText] = {"transformers", model.text->network_class()};
      index[kTokenizer] = {"transformers", model.text->tokenizer_class()};
      stop_if_interrupted();
    }
    if (scheduler) {
      write_json(unfinished / kScheduler / "scheduler_config.json", *scheduler);
      index[kScheduler] = {"diffusers", "DPMSolverSinglestepScheduler"};
    } else {
      log_line(fmt::format("no {}/: diffusers has none for the {} schedule and {} prediction; uvic needs none",
                           kScheduler, model.card.config.schedule.kind, model.card.config.objective.prediction));
    }
    write_json(unfinished / kIndex, index);
    std::error_code error;
    fs::rename(unfinished, folder, error);
    if (error) fail("cannot rename {} to {}: {}", unfinished.string(), folder.string(), error.message());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    throw;
  }
  sync_folder(folder.parent_path());
}

}  // namespace uvic
