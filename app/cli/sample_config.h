// What a picture is drawn with, beside the model, the prompt and the seed.
#pragma once

#include <fmt/format.h>

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "diffusion/sampler.h"

namespace uvic {

// What is said of one setting wherever it is read or written.
struct Setting {
  std::string_view key;     // "cfg_scale": of [sample] in configs and in JSON; the flag is --cfg-scale
  std::string_view recipe;  // "CFG scale": in a picture's recipe
  std::string_view help;
  double low = 0, high = std::numeric_limits<double>::infinity();  // of numbers, both included
  std::vector<std::string> (*choices)() = nullptr;                 // of words
  bool in_config = false;  // a key of [sample], for the grids and scores of a training run
  int place = 0;           // among the first words of a recipe; 0: behind those, and only if it is not the default
};

// The settings of SampleConfig; visit() is the one list of them, from which come flags, config, recipe, JSON and the
// key of kept features.
struct SampleConfig {
  SamplerConfig sampler = {};
  double cfg_scale = 1;
  std::string precision = "fp32";
  int64_t tile = 0;
  double latent_scale = 0;  // of a model of latents
  double strength = 0;      // of a picture to start from; 0: from noise

  bool operator==(const SampleConfig&) const = default;

  // Calls f(setting, field) for each, where field(config) is the setting's value in a SampleConfig.
  template <class F>
  static void visit(F&& f);
};

// A setting's value as flags and recipes write it.
inline std::string setting_text(const std::string& value) {
  return value;
}
template <class T>
std::string setting_text(const T& value) {
  return fmt::format("{}", value);
}

// All of the settings, one a line: a drawing with others has another text. For keys of what is kept.
template <class Config>
std::string settings_key(const Config& config) {
  std::string text;
  Config::visit([&](const Setting& setting, auto field) {
    text += fmt::format("{} {}\n", setting.key, setting_text(field(config)));
  });
  return text;
}

std::vector<std::string> sampler_names();
std::vector<std::string> precision_names();

template <class F>
void SampleConfig::visit(F&& f) {
  f(
      Setting{.key = "sampler",
              .recipe = "Sampler",
              .help = "how noise becomes a picture",
              .choices = sampler_names,
              .in_config = true,
              .place = 2},
      [](auto& c) -> auto& { return c.sampler.kind; });
  f(
      Setting{.key = "steps",
              .recipe = "Steps",
              .help = "network calls per image",
              .low = 1,
              .in_config = true,
              .place = 1},
      [](auto& c) -> auto& { return c.sampler.steps; });
  f(
      Setting{.key = "eta",
              .recipe = "Eta",
              .help = "of the ddim sampler: 0 deterministic, 1 like ddpm",
              .high = 1,
              .in_config = true},
      [](auto& c) -> auto& { return c.sampler.eta; });
  f(
      Setting{.key = "clip_x0",
              .recipe = "Clip x0",
              .help = "ddpm, ddim: clamp predicted images to [-1, 1]",
              .in_config = true},
      [](auto& c) -> auto& { return c.sampler.clip_x0; });
  f(
      Setting{.key = "cfg_scale",
              .recipe = "CFG scale",
              .help = "guidance, 1 is none; the scale s of U-ViT and CogAttn is s + 1 here",
              .high = 3e38,  // float32 holds that
              .in_config = true,
              .place = 3},
      [](auto& c) -> auto& { return c.cfg_scale; });
  f(
      Setting{.key = "precision",
              .recipe = "Precision",
              .help = "of matrix products; bf16 is faster on processors that multiply it; default: fp32",
              .choices = precision_names},
      [](auto& c) -> auto& { return c.precision; });
  f(
      Setting{
          .key = "tile",
          .recipe = "Decoder tile",
          .help =
              "decode latents in blended tiles of that side (less memory, seams hardly to be seen), or 0: as a whole; "
              "default: as a whole, if `sample` finds memory for it"},
      [](auto& c) -> auto& { return c.tile; });
  f(
      Setting{.key = "latent_scale", .recipe = "Latent scale", .help = "factor of the latents"},
      [](auto& c) -> auto& { return c.latent_scale; });
  f(
      Setting{.key = "strength",
              .recipe = "Denoising strength",
              .help = "how much of --init turns into noise first; default: 0.6, with --mask 1",
              .low = 0.01,
              .high = 1},
      [](auto& c) -> auto& { return c.strength; });
}

}  // namespace uvic
