// uvic convert IN OUT
#include <memory>

#include "app/cli/config_source.h"
#include "app/cli/options.h"
#include "app/cli/results.h"
#include "app/model/adapter_file.h"
#include "app/model/convert_language_model.h"
#include "app/model/identify.h"
#include "app/model/language_model.h"
#include "app/model/model_weights.h"
#include "core/files.h"
#include "core/pickle/pth.h"
#include "core/progress.h"
#include "core/text.h"
#include "lm/original.h"
#include "train/run_folder.h"
#include "unet_vit/infer_config.h"

namespace uvic {
namespace {

// The file to read behind a folder: its average weights, or the ones without averaging.
fs::path find_weights(const fs::path& in, bool ema) {
  if (ema || !fs::is_directory(in)) return find_model_file(in);
  const fs::path folder = identify(in) == PathKind::kRun ? RunFolder::open(in).best() : in;
  for (const char* name : {"model.safetensors", "nnet.pth"})
    if (fs::exists(folder / name)) return folder / name;
  fail("{} holds neither model.safetensors nor nnet.pth", folder.string());
}

// The step that a U-ViT checkpoint keeps beside its weights; 0 if there is none.
int64_t step_beside(const fs::path& weights) {
  const fs::path file = weights.parent_path() / "step.pth";
  return fs::exists(file) ? read_pth(file).integer(file.string()) : 0;
}

TensorMap to_half(const TensorMap& tensors, const std::string& origin) {
  TensorMap halved;
  for (const auto& [name, tensor] : tensors) {
    halved[name] = tensor.is_floating_point() ? tensor.to(at::kHalf) : tensor;
    if (tensor.is_floating_point() && (at::isfinite(tensor) != at::isfinite(halved[name])).any().item<bool>())
      fail("{}: {} has values beyond 65504, which float16 cannot hold: convert without --half", origin, name);
  }
  return halved;
}

struct ConvertCommand {
  RunConfig config;
  ConfigSource source;
  std::unique_ptr<RunOptions> options;
  std::string in, out, weights = "nnet_ema", tokenizer, base;
  bool half = false, force = false, merge = false, peft = false;

  void run(bool has_model_flags) {
    if (peft) return to_peft();
    const bool has_config = has_model_flags || !source.empty();
    const fs::path target = target_file();
    const bool to_safetensors = lower_extension(target) == ".safetensors";
    if (has_config && !to_safetensors)
      fail(
          "only .safetensors files hold a config: leave out --preset, --config and --model.*, or name OUT "
          ".safetensors");

    const fs::path file = find_weights(in, weights == "nnet_ema");
    TensorFile data = merge ? merged(file) : read_weights(file);
    const bool is_text = data.metadata.contains(LmCard::kConfigEntry);
    if (is_text && are_adapters(data.tensors)) fail("{} holds adapters: give --merge for a whole model", file.string());
    if (is_text || is_cogformer(data.tensors)) {
      if (half) data.tensors = to_half(data.tensors, file.string());
      report(file, target, convert_language_model(file, std::move(data), target, tokenizer), to_safetensors,
             to_safetensors);
      return;
    }
    if (!tokenizer.empty()) fail("--tokenizer is for language models, and {} holds none", file.string());
    const bool has_card = ModelCard::from_metadata(data.metadata, file.string()).has_value();
    if (has_config && has_card)
      fail("{} already holds its config: leave out --preset, --config and --model.*", file.string());
    if (has_config) data.metadata = make_card(data.tensors, file).to_metadata();
    if (half) data.tensors = to_half(data.tensors, file.string());
    if (to_safetensors) {
      data.metadata["format"] = "pt";
      write_safetensors(target, data);
    } else {
      write_pth(target, data.tensors);
    }
    report(file, target, data.tensors, has_config || has_card, to_safetensors);
  }

  // A plain model again, which says what it began with.
  TensorFile merged(const fs::path& file) const {
    if (read_weights(file).metadata.contains(LmCard::kConfigEntry)) {
      LanguageModel whole = load_language_model(file, at::kCPU, base);
      if (whole.card.config.lora.rank == 0) fail("{} holds no adapters: leave out --merge", file.string());
      whole.card.config.lora = {};
      return {to_map(whole.net.parameters()), whole.card.to_metadata()};
    }
    ModelWeights whole = read_model_weights(file, base);
    if (!whole.adapted) fail("{} holds no adapters: leave out --merge", file.string());
    whole.card->config.lora = {};
    return {std::move(whole.tensors), whole.card->to_metadata()};
  }

  void to_peft() const {
    const fs::path file = find_weights(in, weights == "nnet_ema"), folder = out;
    TensorFile data = read_weights(file);
    const auto card = ModelCard::from_metadata(data.metadata, file.string());
    if (!card || card->config.lora.rank == 0 || !are_adapters(data.tensors))
      fail("{} is not a run of adapters (--lora.rank), and only that becomes a folder of PEFT", file.string());
    if (fs::exists(folder) && !(force && fs::is_directory(folder)))
      fail("'{}' exists: choose another name, or give --force to replace what is in the folder", out);
    if (half) data.tensors = to_half(data.tensors, file.string());
    write_peft_folder(folder, data, *card);
    print_result({{"from", file.string()}, {"folder", out}, {"tensors", data.tensors.size()}},
                 fmt::format("{} -> {}\n{} tensors", visible(file.string()), visible(out), data.tensors.size()));
  }

  // OUT itself, or the weights in OUT if that is named as U-ViT names its checkpoint folders. Error if it exists.
  fs::path target_file() const {
    const fs::path path = out;
    const std::string extension = lower_extension(path);
    const fs::path target = extension == ".ckpt" ? path / (weights + ".pth") : path;
    if (extension != ".ckpt" && extension != ".pth" && extension != ".safetensors")
      fail("cannot tell what '{}' should become: name it .safetensors, .pth or .ckpt (a folder as U-ViT writes it)",
           out);
    if (fs::is_directory(target)) fail("'{}' is a folder: name a file", target.string());
    if (fs::exists(target) && !force)
      fail("'{}' exists: choose another name, or give --force to replace it", target.string());
    return target;
  }

  // Checks that the weights fit the config, name for name and shape for shape.
  ModelCard make_card(const TensorMap& tensors, const fs::path& file) {
    source.apply(*options);
    const std::optional<InferredConfig> inferred = infer_config(tensors);
    if (!inferred) fail("{} holds no weights of a U-ViT, so the config cannot belong to it", file.string());
    // What training takes from its data.
    if (config.data.condition == "class" && config.model.classes == 0) config.model.classes = inferred->model.classes;
    config.model = resolve(config.model);
    if (const std::string what = contradictions(config.model, *inferred); !what.empty())
      fail("{} does not fit the config: {}", file.string(), what);
    expect_enough(parameter_count(config.model), tensors, file.string());
    load_into(UVit(config.model).parameters(), tensors, file.string());
    return {.config = config, .step = step_beside(file), .classes = {}, .vocabulary = {}};
  }

  void report(const fs::path& file, const fs::path& target, const TensorMap& tensors, bool has_config,
              bool to_safetensors) const {
    int64_t parameters = 0;
    for (const auto& entry : tensors) parameters += entry.second.numel();
    const uintmax_t bytes = fs::file_size(target);
    const std::string hash = sha256_of_file(target);
    print_result(
        {{"from", file.string()},
         {"file", target.string()},
         {"tensors", tensors.size()},
         {"parameters", parameters},
         {"bytes", bytes},
         {"sha256", hash},
         {"config", has_config && to_safetensors}},
        fmt::format("{} -> {}\n{} tensors, {} parameters, {:.2f} MB, SHA-256 {}", visible(file.string()),
                    visible(target.string()), tensors.size(), parameters, static_cast<double>(bytes) / 1e6, hash));
    if (as_json()) return;
    if (to_safetensors && !has_config)
      log_line(
          "note: the file does not say how its model is built, so `uvic sample` will need --preset or --config; give "
          "them here to put them into the file");
    if (!to_safetensors && has_config)
      log_line("note: .pth files hold weights only; the config, class names and words stay behind");
  }
};

}  // namespace

void add_convert_command(CLI::App& app) {
  CLI::App* sub =
      app.add_subcommand("convert", "convert weights between the .pth of U-ViT or Cogformer and .safetensors");
  sub->footer(
      "The names of the tensors stay, without prefixes that all have, such as `module.`. With --preset or --config "
      "(and --model.*) the config goes into the .safetensors\n"
      "file, after a check that the weights fit it, so that `uvic sample` needs nothing else. "
      "Weights do not show their\n"
      "attention kind and their number of heads: give the preset they were trained with, or --model.attention softmax\n"
      "for U-ViT, cog for U-ViC.");
  auto command = std::make_shared<ConvertCommand>();
  sub->add_option("IN", command->in,
                  "a .pth, .pt or .safetensors file, a run or checkpoint folder, a U-ViT N.ckpt folder")
      ->required();
  sub->add_option("OUT", command->out,
                  "a .safetensors or .pth file, or an N.ckpt folder for the .pth; with --peft a folder")
      ->required();
  sub->add_option("--weights", command->weights, "which weights of a folder: averaged (nnet_ema) or not (nnet)")
      ->check(CLI::IsMember({"nnet_ema", "nnet"}))
      ->capture_default_str();
  sub->add_option("--tokenizer", command->tokenizer, "tokenizer.model that belongs to the original's language model");
  sub->add_flag("--half", command->half, "store float16: half the size, enough to sample from");
  CLI::Option* merge =
      sub->add_flag("--merge", command->merge,
                    "of a run of adapters: a plain model, with the adapters added to what they were trained on");
  sub->add_flag("--peft", command->peft, "of a run of adapters: a folder as Hugging Face's PEFT reads it")
      ->excludes(merge);
  sub->add_option("--base", command->base, "what the adapters were trained on, if it is not where it was")
      ->needs(merge);
  sub->add_flag("--force", command->force, "replace an existing OUT");
  command->source.add_options(*sub);
  command->options = std::make_unique<RunOptions>(*sub, command->config, RunOptions::kModelOnly);
  sub->callback([command, sub] {
    const auto flags = sub->get_options(
        [](const CLI::Option* option) { return option->get_name().starts_with("--model.") && option->count() > 0; });
    command->run(!flags.empty());
  });
}

}  // namespace uvic
