// uvic info FILE|RUN|PNG
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "app/cli/lm_options.h"
#include "app/cli/options.h"
#include "app/cli/results.h"
#include "app/cli/settings_json.h"
#include "app/draw/recipe.h"
#include "app/inspect/describe.h"
#include "app/inspect/run_record.h"
#include "app/model/identify.h"
#include "app/model/language_model.h"
#include "app/model/model.h"
#include "app/training/resume.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/formats/npz.h"
#include "core/pickle/pth.h"
#include "core/pickle/pth_objects.h"
#include "core/progress.h"
#include "eval/stats.h"
#include "train/run_folder.h"

namespace uvic {
namespace {

Fields describe_picture(const fs::path& file) {
  const std::string bytes = read_file(file, "picture");
  const Tensor image = decode_image(bytes, file.string());
  Fields fields{{"file", file.string()}, {"image", fmt::format("{} x {} pixels", image.size(1), image.size(0))}};
  for (const auto& [key, value] : image_format(bytes) == "png" ? png_text(bytes, file.string()) : PngText()) {
    if (key == kParametersKey) {
      try {
        const Recipe r = parse_parameters(value, file.string());
        Fields recipe{{"prompt", r.prompt}};
        if (!r.negative.empty()) recipe["negative"] = r.negative;
        if (r.label)
          recipe["class"] =
              r.label_name.empty() ? fmt::format("{}", *r.label) : fmt::format("{} ({})", r.label_name, *r.label);
        recipe["seed"] = r.seed;
        add_settings(recipe, r.settings);
        if (!r.image_hash.empty()) recipe["init_hash"] = r.image_hash;
        if (!r.mask_hash.empty()) recipe["mask_hash"] = r.mask_hash;
        if (r.to_prompt) recipe["to_prompt"] = *r.to_prompt;
        if (r.to_seed) recipe["to_seed"] = *r.to_seed;
        if (r.to_prompt || r.to_seed) recipe["mix"] = r.mix;
        for (const AdapterUse& use : r.adapters) recipe["adapters"].push_back(adapter_text(use));
        recipe.update({{"size", fmt::format("{} x {}", r.width, r.height)},
                       {"model", r.model},
                       {"model_hash", r.model_hash},
                       {"version", r.version}});
        fields["recipe"] = recipe;
        continue;
      } catch (const Error& error) {
        warn(error.what());
      }
    }
    fields["text"][key] = value;
  }
  if (!fields.contains("recipe") && !fields.contains("text")) fields["recipe"] = "none: the image carries no text";
  return fields;
}

Fields describe_arrays(const fs::path& file) {
  Fields fields{{"file", file.string()}};
  const TensorMap arrays = read_npz(file);
  if (arrays.contains("mu") && arrays.contains("sigma")) {
    std::map<std::string, std::string> notes;
    const Gaussian gaussian = read_gaussian(file, &notes);
    fields["statistics"] = fmt::format("of {} features, for Frechet distances", gaussian.mu.size(0));
    fields["images"] = gaussian.n > 0 ? Fields(gaussian.n) : Fields("unknown");
    for (const auto& [key, value] : notes) fields[key] = value;
    fields["mean_of_mu"] = gaussian.mu.mean().item<double>();
    fields["trace_of_sigma"] = gaussian.sigma.trace().item<double>();
    return fields;
  }
  for (const auto& [name, array] : arrays)
    fields["arrays"][name] = fmt::format("{} [{}]", dtype_name(array.scalar_type()), fmt::join(array.sizes(), ", "));
  return fields;
}

std::string last_line(const fs::path& file) {
  std::string text = fs::exists(file) ? read_file(file, "log") : "";
  text.erase(std::min(text.rfind('\n'), text.size()));  // the last line may be half written
  return text.substr(text.rfind('\n') + 1);
}

Fields describe_run(const fs::path& path) {
  const RunFolder run = RunFolder::open(path);
  const fs::path& folder = run.path();
  const auto [steps, config] = describe_config(run);
  Fields fields{{"run", folder.string()}};
  if (run.has_checkpoint()) {
    const SavedCheckpoint state = read_checkpoint_state(run.latest());
    fields["step"] = fmt::format("{} of {}", state.step, steps);
    fields["best_score"] = state.best_score ? Fields(*state.best_score) : Fields();
    fields["latest"] = run.latest().filename().string();
    if (fs::exists(folder / "best")) fields["best"] = run.best().filename().string();
    for (const SavedCheckpoint& saved : list_checkpoints(folder)) fields["checkpoints"].push_back(saved.name);
    const fs::path weights = run.best() / "model_ema.safetensors";
    fields["weights"] = weights.string();
    fields["sha256"] = sha256_of_file(weights);
  } else {
    fields["step"] = fmt::format("no checkpoint yet, of {} steps", steps);
  }
  const auto row = try_parse_json<Fields>(last_line(folder / "stats.jsonl"));
  fields.update(config);
  if (row && row->is_object()) {
    fields["last_row"] = *row;
    fields["last_row"].erase("time");
  }
  return fields;
}

// A checkpoint of ours or of U-ViT: the state beside the weights, then the averaged weights.
Fields describe_checkpoint(const fs::path& folder, bool list_tensors) {
  Fields fields{{"checkpoint", folder.string()}};
  if (fs::exists(folder / "state.json")) {
    const SavedCheckpoint state = read_checkpoint_state(folder);
    fields["step"] = state.step;
    fields["best_score"] = state.best_score ? Fields(*state.best_score) : Fields();
  } else if (fs::exists(folder / "step.pth")) {
    fields["step"] = read_pth(folder / "step.pth").integer((folder / "step.pth").string());
  }
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path().filename().string());
  std::sort(files.begin(), files.end());
  fields["files"] = files;
  fields.update(describe_weights(find_model_file(folder), list_tensors));
  return fields;
}

Fields describe(const fs::path& path, bool list_tensors) {
  switch (identify(path)) {
    case PathKind::kMissing:
      fail("there is no '{}'", path.string());
    case PathKind::kRun:
      return describe_run(path);
    case PathKind::kBundle:
    case PathKind::kCheckpoint:
      return describe_checkpoint(path, list_tensors);
    case PathKind::kPicture:
      return describe_picture(path);
    case PathKind::kStatistics:
    case PathKind::kImageArray:
    case PathKind::kArrays:
      return describe_arrays(path);
    case PathKind::kWeights:
    case PathKind::kFeatures:
      return describe_weights(path, list_tensors);
    case PathKind::kFolder:
      fail(
          "{} is neither a run folder (config.toml) nor a checkpoint (model_ema.safetensors or nnet_ema.pth); for "
          "pictures there is `uvic data info folder:{}`",
          path.string(), path.string());
    case PathKind::kArchive:
      fail("{} is an archive: for pictures there is `uvic data info folder:{}`", path.string(), path.string());
    case PathKind::kUnknown:
      break;
  }
  fail(
      "cannot tell what {} is: expected weights (.safetensors, .pth), a run or checkpoint folder, a picture, or "
      "statistics (.npz)",
      path.string());
}

// The text that `uvic train --config` or `uvic lm train --config` takes.
std::string config_of(const fs::path& path) {
  if (identify(path) == PathKind::kRun) {
    const RunFolder run = RunFolder::open(path);
    return trains_language_model(run) ? print_config<LmOptions>(config_of_run<LmOptions>(run))
                                      : print_config<RunOptions>(config_of_run<RunOptions>(run));
  }
  const fs::path file = find_model_file(path);
  const auto metadata = read_weights(file).metadata;
  if (metadata.contains(LmCard::kConfigEntry))
    return print_config<LmOptions>(LmCard::from_metadata(metadata, file.string()).config);
  const auto card = ModelCard::from_metadata(metadata, file.string());
  if (!card) fail("{} carries no config", file.string());
  return print_config<RunOptions>(card->config);
}

}  // namespace

void add_info_command(CLI::App& app) {
  CLI::App* sub =
      app.add_subcommand("info", "what a file or folder is: a run, weights, an image with its recipe, statistics");
  struct Arguments {
    std::string path;
    bool tensors = false, config = false;
  };
  auto arguments = std::make_shared<Arguments>();
  sub->add_option("PATH", arguments->path, "run or checkpoint folder, .safetensors, .pth, PNG, .npz")->required();
  sub->add_flag("--tensors", arguments->tensors, "list every tensor of a weights file");
  sub->add_flag("--config", arguments->config, "print just the whole config, as `uvic train --config` takes it");
  sub->callback([arguments] {
    if (arguments->config) {
      std::string config = config_of(arguments->path);
      if (config.ends_with('\n')) config.pop_back();
      return print_result({{"config", config}}, config);
    }
    const Fields fields = describe(arguments->path, arguments->tensors);
    print_result(fields, to_text(fields));
  });
}

}  // namespace uvic
