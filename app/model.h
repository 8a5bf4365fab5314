// A trained model with all that is needed to use it: network, schedule, words and class names.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/run_config.h"
#include "core/safetensors.h"
#include "datasets/vocabulary.h"
#include "diffusion/schedule.h"
#include "unet_vit/uvit.h"

namespace uvic {

// What the weights alone do not tell; kept in the metadata of every model file we write.
struct ModelCard {
  RunConfig config;
  int64_t step = 0;
  std::vector<std::string> classes;
  std::optional<Vocabulary> vocabulary;

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
  at::Device device = at::kCPU;
  at::ScalarType precision = at::kFloat;  // of matrix products
};

// The EMA weights file behind a run folder (its best checkpoint), a checkpoint folder, a .safetensors or a .pth.
std::filesystem::path find_model_file(const std::filesystem::path& path);

// `fallback`: the config for files that carry none; without one such a file is an Error that says what to give.
Model load_model(const std::filesystem::path& path, at::Device device,
                 const std::optional<RunConfig>& fallback = std::nullopt);

// Draws with matrix products in `precision` from now on: bfloat16 is faster where the processor multiplies it, and gives
// slightly other pictures.
void set_precision(Model& model, at::ScalarType precision);

// A name that device_name() takes. Error if this build or machine has no such device.
at::Device parse_device(const std::string& text);

}  // namespace uvic
