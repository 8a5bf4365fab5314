#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/pickle/pth.h"
#include "encoders/autoencoder_kl.h"

namespace uvic {
namespace {

// A folder of diffusers, or the vae/ in one.
fs::path find_folder(const fs::path& folder) {
  for (const fs::path& place : {folder, folder / "vae"})
    if (fs::exists(place / "config.json")) return place;
  fail("no autoencoder in {}: expected config.json there or in {}", folder.string(), (folder / "vae").string());
}

template <class T>
std::optional<T> number_in(const nlohmann::json& config, const char* name, const std::string& file) {
  const auto found = config.find(name);
  if (found == config.end() || found->is_null()) return std::nullopt;
  constexpr double kMost = 1 << 20;
  const bool fits = std::is_integral_v<T> ? found->is_number_unsigned() : found->is_number();
  if (!fits || !(found->get<double>() > 0 && found->get<double>() <= kMost))
    fail("{}: {} is {}, expected a {} above 0", file, name, found->dump(),
         std::is_integral_v<T> ? "whole number" : "number");
  return found->get<T>();
}

}  // namespace

AutoencoderKl load_autoencoder(const fs::path& path) {
  if (!fs::exists(path)) fail("no autoencoder at '{}': expected a .pth, a .safetensors or a folder", path.string());
  if (!fs::is_directory(path)) return AutoencoderKl(read_weights(path).tensors, path.string());
  const fs::path folder = find_folder(path), config_file = folder / "config.json";
  const fs::path weights = frozen::find_weights(folder, "autoencoder");
  const nlohmann::json config = read_json(config_file, "config");
  if (!config.is_object()) fail("{} is not a JSON object", config_file.string());
  const std::string name = config_file.string();
  return AutoencoderKl(read_weights(weights).tensors, weights.string(),
                       number_in<int64_t>(config, "norm_num_groups", name).value_or(32),
                       number_in<double>(config, "scaling_factor", name));
}

}  // namespace uvic
