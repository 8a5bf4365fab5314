#include "app/bundle.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"
#include "core/pth.h"

namespace uvic {
namespace {

using nlohmann::ordered_json;

constexpr const char *kIndex = "model_index.json", *kTransformer = "transformer", *kVae = "vae",
                     *kText = "text_encoder", *kTokenizer = "tokenizer", *kScheduler = "scheduler",
                     *kConfig = "config.json";
constexpr const char *kDiffusionWeights = "diffusion_pytorch_model.safetensors", *kTextWeights = "model.safetensors";

void write_json(const fs::path& file, const ordered_json& json) {
  write_atomically(file, json.dump(2) + "\n");
}

void write_weights(const fs::path& file, const NamedTensors& tensors) {
  write_safetensors(file, {to_map(tensors), {{"format", "pt"}}});
}

void write_transformer(const fs::path& folder, const Model& model) {
  ModelCard card = model.card;
  card.config.data.latent_scale = model.latent_scale;
  write_safetensors(folder / kDiffusionWeights, {read_weights(model.path).tensors, card.to_metadata()});
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

void write_vae(const fs::path& folder, const Model& model) {
  write_weights(folder / kDiffusionWeights, model.autoencoder->parameters());
  const AutoencoderConfig& c = model.autoencoder->config();
  for (const bool attention : c.attention)
    if (attention)
      fail("an autoencoder with attention outside its middle has no config in diffusers: it cannot be bundled");
  if (!c.double_z || c.stem != c.channels.front() || c.z_channels != c.embed_dim)
    fail(
        "an autoencoder without variances, or with widths of its own for stem or latents, has no config in diffusers: "
        "it "
        "cannot be bundled");
  write_json(folder / kConfig, {{"_class_name", "AutoencoderKL"},
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
                                {"scaling_factor", model.latent_scale}});
}

void write_text(const fs::path& folder, const TextEncoder& encoder) {
  const auto* clip = dynamic_cast<const ClipTextEncoder*>(&encoder);
  if (!clip) fail("only a CLIP text encoder can be bundled: keep this one in its folder");
  const ClipTextEncoder& text = *clip;
  write_weights(folder / kText / kTextWeights, text.net.parameters());
  ordered_json network = to_json(text.net.config());
  network["bos_token_id"] = text.tokenizer.start_of_text();
  network["eos_token_id"] = network["pad_token_id"] = text.tokenizer.end_of_text();
  write_json(folder / kText / kConfig, network);
  const fs::path tokenizer = folder / kTokenizer;
  write_byte_pairs(tokenizer, text.tokenizer.pairs());
  const ordered_json special = {{"bos_token", "<|startoftext|>"},
                                {"eos_token", "<|endoftext|>"},
                                {"pad_token", "<|endoftext|>"},
                                {"unk_token", "<|endoftext|>"}};
  write_json(tokenizer / "special_tokens_map.json", special);
  ordered_json config = {{"tokenizer_class", "CLIPTokenizer"},
                         {"do_lower_case", true},
                         {"model_max_length", text.net.config().max_position_embeddings}};
  config.update(special);
  write_json(tokenizer / "tokenizer_config.json", config);
}

// Names of diffusers for what a discrete schedule and an objective are called here.
struct Renamed {
  std::string_view here, there;
};
constexpr Renamed kSchedules[] = {
    {"scaled-linear", "scaled_linear"}, {"linear", "linear"}, {"cosine", "squaredcos_cap_v2"}};
constexpr Renamed kPredictions[] = {{"eps", "epsilon"}, {"x0", "sample"}, {"v", "v_prediction"}};

std::string renamed(std::span<const Renamed> table, const std::string& name) {
  for (const auto& [here, there] : table)
    if (here == name) return std::string(there);
  fail("diffusers has no '{}': the model cannot be bundled", name);
}

void write_scheduler(const fs::path& folder, const RunConfig& config) {
  const auto of = [&](double own, double usual) { return own > 0 ? own : usual; };
  const bool linear = config.schedule.kind == "linear";
  write_json(folder / "scheduler_config.json", {{"_class_name", "DPMSolverSinglestepScheduler"},
                                                {"num_train_timesteps", 1000},
                                                {"beta_schedule", renamed(kSchedules, config.schedule.kind)},
                                                {"beta_start", of(config.schedule.beta_start, linear ? 1e-4 : 0.00085)},
                                                {"beta_end", of(config.schedule.beta_end, linear ? 0.02 : 0.012)},
                                                {"prediction_type", renamed(kPredictions, config.objective.prediction)},
                                                {"algorithm_type", "dpmsolver++"},
                                                {"solver_order", 3}});
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
  const fs::path unfinished = folder.string() + fmt::format(".tmp{}", ::getpid());
  try {
    ordered_json index = {{"_class_name", "UVicPipeline"}, {kTransformer, {"uvic", "UVit"}}};
    write_transformer(unfinished / kTransformer, model);
    if (model.autoencoder) {
      write_vae(unfinished / kVae, model);
      index[kVae] = {"diffusers", "AutoencoderKL"};
    }
    if (model.text) {
      write_text(unfinished, *model.text);
      index[kText] = {"transformers", "CLIPTextModel"};
      index[kTokenizer] = {"transformers", "CLIPTokenizer"};
    }
    write_scheduler(unfinished / kScheduler, model.card.config);
    index[kScheduler] = {"diffusers", "DPMSolverSinglestepScheduler"};
    write_json(unfinished / kIndex, index);
    fs::rename(unfinished, folder);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(unfinished, ignored);
    throw;
  }
  sync_folder(folder.parent_path());
}

}  // namespace uvic
