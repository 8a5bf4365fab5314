// The recipe of an image, kept in its PNG: the "parameters" text of AUTOMATIC1111's web UI, which many tools read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/cli/sample_config.h"
#include "app/model/adapter_use.h"
#include "core/image/image.h"

namespace uvic {

struct Recipe {
  std::string prompt, negative;
  SampleConfig settings;
  std::optional<std::string> to_prompt;  // drawn on the way to another prompt or seed,
  std::optional<uint64_t> to_seed;
  double mix = 0;                     // so far
  std::string image_hash, mask_hash;  // of the picture it was drawn from and the mask; "": none
  uint64_t seed = 0;
  int64_t width = 0, height = 0;
  std::string model, model_hash;
  std::vector<AdapterUse> adapters = {};  // that were added to it
  std::optional<int64_t> label;           // class id
  std::string label_name;                 // may be empty
  std::string version;

  bool operator==(const Recipe&) const = default;
};

// prompt \n Negative prompt: ... \n Steps: 20, Sampler: ddim, CFG scale: 2, Seed: 42, Size: 32x32, Model hash: ... In
// UTF-8: what is none stands as U+FFFD.
std::string to_parameters(const Recipe& recipe);
// "NAME:HASH:WEIGHT"
std::string adapter_text(const AdapterUse& use);
// Error if the text is no such recipe; unknown fields are ignored.
Recipe parse_parameters(const std::string& text, const std::string& origin);

constexpr const char* kParametersKey = "parameters";

// The recipe in a PNG file; Error if it has none.
Recipe read_recipe(const std::filesystem::path& png);

}  // namespace uvic
