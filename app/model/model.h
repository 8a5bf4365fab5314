// A trained model with all that is needed to use it: network, schedule, words and class names.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/run_config.h"
#include "app/model/adapter_use.h"
#include "core/device.h"
#include "core/formats/safetensors.h"
#include "datasets/vocabulary.h"
#include "diffusion/schedule.h"
#include "encoders/autoencoder_kl.h"
#include "encoders/text_encoder.h"
#include "unet_vit/uvit.h"

namespace uvic {

// What the weights alone do not tell; kept in the metadata of every model file we write.
struct ModelCard {
  static constexpr const char* kConfigEntry = "uvic.config";  // of the metadata

  RunConfig config;
  int64_t step = 0;
  std::vector<std::string> classes;
  std::optional<Vocabulary> vocabulary;
  std::string text_encoder = {};  // fingerprint of config.data.text_encoder; "": none, or unknown
  std::string init_sha256 = {};   // of config.init.file; "": it began with drawn weights

  std::map<std::string, std::string> to_metadata() const;
  // Empty if the file carries none of ours (weights of U-ViT, say).
  static std::optional<ModelCard> from_metadata(const std::map<std::string, std::string>& metadata,
                                                const std::string& origin);
};

struct Model {
  std::filesystem::path path;  // the file the weights came from
  std::string name, hash;      // hash: first 10 digits of the file's SHA-256
  ModelCard card;
  UVit net;
  std::unique_ptr<Schedule> schedule;
  std::unique_ptr<TextEncoder> text = nullptr;           // reads prompts for a model of text states
  std::unique_ptr<AutoencoderKl> autoencoder = nullptr;  // makes pictures of a model's latents
  double latent_scale = 0;                               // those latents are the autoencoder's times this
  at::Device device = at::kCPU;
  at::ScalarType precision = at::kFloat;  // of matrix products
  std::vector<AdapterUse> adapters = {};  // beside those that the file itself may hold
};

// The EMA weights file behind a run folder (its best checkpoint), a checkpoint folder, a bundle, a .safetensors or a
// .pth.
std::filesystem::path find_model_file(const std::filesystem::path& path);

// What people call the model that was found so: its folder's name, or the file's.
std::string model_name(const std::filesystem::path& path, const std::filesystem::path& file);

// Whether a model learnt from states of a frozen text encoder, not from words of its own.
bool reads_text_states(const UVitConfig& config);

// `fallback`: the config for files that carry none; without one such a file is an Error that says what to give. A
// bundle (app/model/bundle.h) brings its encoders along, adapters of a run are joined with their base (`base`: where it
// is now, if not where it was).
Model load_model(const std::filesystem::path& path, at::Device device,
                 const std::optional<RunConfig>& fallback = std::nullopt, const std::filesystem::path& base = {});

constexpr double kSmallestScale = 1e-6;  // of latents

// The networks around a model of latents and text states, as options give them.
struct EncoderFiles {
  std::string autoencoder, text;  // "": none
  double latent_scale = 0;        // 0: what the model says, else the autoencoder
};
// Loads them into the model. Error if it has no use for them, or does not fit them.
void attach_encoders(Model& model, const EncoderFiles& files);

// Height and width of a picture.
int64_t picture_size(const Model& model);

// Draws with matrix products in `precision` from now on: bfloat16 is faster where the processor multiplies it, and
// gives slightly other pictures.
void set_precision(Model& model, at::ScalarType precision);

}  // namespace uvic
