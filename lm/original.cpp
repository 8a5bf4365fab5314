#include "lm/original.h"

#include <variant>

#include "core/error.h"
#include "core/pickle/pth.h"
#include "lm/rotary.h"

namespace uvic {
namespace {

constexpr const char* kModelConfig = "model_cfg";
constexpr int64_t kShortcutBar = 4095;  // zeros that nothing reads

}  // namespace

bool is_cogformer(const TensorMap& tensors) {
  return tensors.contains("layers.0.attention.qw");
}

LmConfig original_config(const PickleValue& checkpoint, const std::string& origin) {
  const PickleValue* const found = checkpoint.is_dict() ? find(checkpoint.dict(origin), kModelConfig) : nullptr;
  if (!found)
    fail("{} does not say how its model is built: expected the original's .pth with its \"{}\"", origin, kModelConfig);
  const PickleDict& values = found->dict(origin + ": model_cfg");
  const auto value = [&](const char* key) -> const PickleValue& {
    const PickleValue* const entry = find(values, key);
    if (!entry) fail("{}: its model_cfg lacks {}", origin, key);
    return *entry;
  };
  const auto number = [&](const char* key) { return value(key).integer(fmt::format("{}: {}", origin, key)); };
  const std::string kind = value("attn_type").text(origin + ": attn_type");
  if (kind != "np" && kind != "vanilla") fail("{}: attn_type '{}' is none of np, vanilla", origin, kind);
  const auto* const epsilon = std::get_if<double>(&value("norm_eps").value);
  if (!epsilon) fail("{}: norm_eps is no number", origin);
  LmConfig config{.layers = number("n_layers"),
                  .dim = number("dim"),
                  .heads = number("n_heads"),
                  .head_dim = number("head_dim"),
                  .hidden = number("hidden_dim"),
                  .vocabulary = number("vocab_size"),
                  .attention = kind == "np" ? "cog" : "softmax",
                  .norm_epsilon = *epsilon};
  for (const int64_t size :
       {config.layers, config.dim, config.heads, config.head_dim, config.hidden, config.vocabulary})
    if (size < 1) fail("{}: its model_cfg has a size of {}", origin, size);
  return resolve(config);
}

void write_original(const std::filesystem::path& path, const LmConfig& config, TensorMap weights, int64_t longest) {
  if (config.memory != "none")
    fail("the original Cogformer has no memory {}: keep this model in a .safetensors", config.memory);
  // Twice as many positions as tokens, as there.
  const Rotation turn = rotation(0, 2 * longest, config.head_dim, at::kFloat);
  weights["freqs_cis"] = at::complex(turn.cos, turn.sin);
  weights["shortcut_bar"] = at::zeros({kShortcutBar});
  write_pth(path, weights,
            {kModelConfig,
             {{"vocab_size", config.vocabulary},
              {"n_layers", config.layers},
              {"max_seq_length", longest},
              {"dim", config.dim},
              {"n_heads", config.heads},
              {"head_dim", config.head_dim},
              {"hidden_dim", config.hidden},
              {"norm_eps", config.norm_epsilon},
              {"attn_type", std::string(config.attention == "cog" ? "np" : "vanilla")},
              {"shared_expert_recipe", int64_t{1}}}});
}

}  // namespace uvic
