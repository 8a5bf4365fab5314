// uvic sample
#include <ATen/Parallel.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/checks.h"
#include "app/commands.h"
#include "app/config_source.h"
#include "app/device.h"
#include "app/encoder_options.h"
#include "app/json_lines.h"
#include "app/picture_files.h"
#include "app/pipeline.h"
#include "app/prompts.h"
#include "app/recipe.h"
#include "app/seeds.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/train.h"
#include "encoders/tiled_decode.h"

namespace uvic {
namespace {

constexpr int64_t kStripFrames = 8;
constexpr int64_t kFrames = 8;
constexpr double kStrength = 0.6, kStrengthOfMask = 1;  // a hole is filled from noise
constexpr const char* kDefaultSeeds = "0";

struct SampleCommand {
  std::string model, device = "cpu", prompts_file, seeds, grid, out = "samples", from, negative, sampler, label, precision;
  std::vector<std::string> prompts;
  std::optional<int64_t> steps;
  std::optional<double> cfg_scale, eta, strength, mix;
  std::string init, mask;
  std::optional<std::string> to_prompt;
  std::optional<uint64_t> to_seed;
  std::optional<int64_t> frames;
  std::optional<int64_t> tile;
  EncoderFiles encoders;
  int64_t batch = 16;
  bool strip = false, force = false;
  RunConfig config;
  ConfigSource source;
  std::unique_ptr<RunOptions> options;

  int run();

 private:
  std::vector<Request> make_requests(const Model& model) const;
  GenerateOptions make_options(const Model& model, int64_t pictures) const;
  std::vector<double> mixes() const;
  int64_t frame_count() const { return to_prompt || to_seed ? std::ssize(mixes()) : 1; }
  void use_recipe(const Recipe& recipe);
  int draw(const Model& model, const std::vector<Request>& requests, const GenerateOptions& how);
  int recreate(const Model& model, const Request& request, const GenerateOptions& how, const Recipe& recipe);
};

Recipe make_recipe(const Model& model, const Request& request, const GenerateOptions& how) {
  Recipe recipe{.prompt = request.prompt,
                .negative = request.negative,
                .sampler = how.sampler.kind,
                .steps = how.sampler.steps,
                .cfg_scale = how.cfg_scale,
                .eta = how.sampler.eta,
                .clip_x0 = how.sampler.clip_x0,
                .precision = std::string(name_of(precisions(), model.precision)),
                .tile = how.tile,
                .latent_scale = model.autoencoder ? model.latent_scale : 0,
                .to_prompt = request.to_prompt,
                .to_seed = request.to_seed,
                .mix = request.mix,
                .strength = {},
                .image_hash = "",
                .mask_hash = "",
                .seed = request.seed,
                .width = picture_size(model),
                .height = picture_size(model),
                .model = model.name,
                .model_hash = model.hash,
                .label = request.label,
                .label_name = "",
                .version = "uvic " UVIC_VERSION};
  if (how.edit) {
    recipe.strength = how.edit->strength;
    recipe.image_hash = how.edit->image_hash;
    recipe.mask_hash = how.edit->mask_hash;
  }
  if (request.label && *request.label < static_cast<int64_t>(model.card.classes.size()))
    recipe.label_name = model.card.classes[*request.label];
  return recipe;
}

// A prompt the model cannot follow is drawn all the same, but not silently.
void warn_of_unknown_words(const Model& model, const std::vector<std::string>& prompts) {
  constexpr size_t kShown = 200;
  for (const std::string& prompt : prompts)
    if (const std::string what = not_followed(model, prompt); !what.empty())
      warn(fmt::format("the model {}: \"{}\"", what, prompt.size() > kShown ? prompt.substr(0, kShown) + "..." : prompt));
}

// How far each frame is; a recipe names the one that its picture is.
std::vector<double> SampleCommand::mixes() const {
  if (mix) return {*mix};
  std::vector<double> all;
  const int64_t last = frames.value_or(kFrames) - 1;
  for (int64_t i = 0; i <= last; ++i) all.push_back(static_cast<double>(i) / static_cast<double>(last));
  return all;
}

std::vector<Request> SampleCommand::make_requests(const Model& model) const {
  std::vector<std::string> texts = prompts;
  if (!prompts_file.empty())
    for (std::string& prompt : read_prompts(prompts_file)) texts.push_back(std::move(prompt));
  const bool takes_text = model.card.config.model.context_tokens > 0;
  if (!takes_text && !(texts.empty() && negative.empty() && !to_prompt))
    fail("{} was trained without text: --prompt, --negative and --to-prompt do not apply to it{}", model.name,
         model.card.config.model.classes > 0 ? "; use --class" : "");
  std::optional<int64_t> id;
  if (!label.empty()) id = parse_class(model, label);
  warn_of_unknown_words(model, texts);
  if (!negative.empty()) warn_of_unknown_words(model, {negative});
  if (to_prompt) warn_of_unknown_words(model, {*to_prompt});
  if (frames && !to_prompt && !to_seed)
    fail("--frames lie between two pictures: say where to with --to-prompt or --to-seed");
  if (strip && frame_count() > 1) fail("--strip and frames are both strips: give one of them");
  if (texts.empty()) texts.emplace_back();
  std::vector<Request> requests;
  for (const std::string& prompt : texts)
    for (const uint64_t seed : parse_seeds(seeds.empty() ? kDefaultSeeds : seeds))
      for (const double mix : to_prompt || to_seed ? mixes() : std::vector<double>{0})
        requests.push_back({.seed = seed,
                            .prompt = prompt,
                            .negative = negative,
                            .label = id,
                            .to_prompt = to_prompt,
                            .to_seed = to_seed,
                            .mix = mix});
  return requests;
}

// The decoder's, when memory is short. Half of what is free, since others want some too.
int64_t tile_for(const Model& model, int64_t pictures) {
  if (!model.autoencoder || !model.device.is_cpu()) return 0;
  const int64_t at_once = std::clamp<int64_t>(pictures, 1, at::get_num_threads()), bytes = free_memory() / 2 / at_once;
  const int64_t side = model.card.config.model.image_size;
  const int64_t tile = tile_within(model.autoencoder->config(), side, bytes);
  if (tile > 0)
    log_line(fmt::format("memory is short: latents are decoded in tiles of {}, not {} (--tile 0 decodes them as a whole)",
                         tile, side));
  return tile;
}

GenerateOptions SampleCommand::make_options(const Model& model, int64_t pictures) const {
  const SampleConfig& trained = model.card.config.sample;
  GenerateOptions how{.sampler = trained.sampler, .cfg_scale = trained.cfg_scale, .batch = batch};
  if (!sampler.empty()) how.sampler.kind = sampler;
  if (steps) how.sampler.steps = *steps;
  if (eta) how.sampler.eta = *eta;
  if (cfg_scale) how.cfg_scale = *cfg_scale;
  if (tile.value_or(0) > 0 && !model.autoencoder) fail("--tile is for models of latents: give their --autoencoder, too");
  if (tile.value_or(0) > 0 && *tile < kSmallestTile) fail("--tile {}: expected {} or more, or 0", *tile, kSmallestTile);
  how.tile = tile ? *tile : tile_for(model, std::min(pictures, batch));
  if (strip) how.strip = std::min(kStripFrames, how.sampler.steps);
  if (!init.empty())
    how.edit =
        read_edit(init, mask, strength.value_or(mask.empty() ? kStrength : kStrengthOfMask), picture_size(model));
  else if (!mask.empty() || strength)
    fail("{} needs the picture to start from: give --init", mask.empty() ? "--strength" : "--mask");
  return how;
}

// What the recipe says and no flag overrides.
void SampleCommand::use_recipe(const Recipe& recipe) {
  if (prompts.empty() && !recipe.prompt.empty()) prompts = {recipe.prompt};
  if (negative.empty()) negative = recipe.negative;
  if (label.empty() && recipe.label) label = std::to_string(*recipe.label);
  if (sampler.empty()) sampler = recipe.sampler;
  if (!steps) steps = recipe.steps;
  if (!eta) eta = recipe.eta;
  if (!cfg_scale) cfg_scale = recipe.cfg_scale;
  if (precision.empty()) precision = recipe.precision;
  if (!tile) tile = recipe.tile;
  if (encoders.latent_scale == 0) encoders.latent_scale = recipe.latent_scale;
  if (!to_prompt) to_prompt = recipe.to_prompt;
  if (!to_seed) to_seed = recipe.to_seed;
  if (!frames && (recipe.to_prompt || recipe.to_seed)) mix = recipe.mix;
  if (!strength) strength = recipe.strength;
  const bool lacks_init = !recipe.image_hash.empty() && init.empty(),
             lacks_mask = !recipe.mask_hash.empty() && mask.empty();
  if (lacks_init) fail("{} was drawn from a picture (SHA-256 {}...): give it with --init", from, recipe.image_hash);
  if (lacks_mask) fail("{} was drawn with a mask (SHA-256 {}...): give it with --mask", from, recipe.mask_hash);
  if (seeds.empty()) seeds = std::to_string(recipe.seed);
}

std::optional<std::vector<Drawing>> generate_with_progress(const Model& model, const std::vector<Request>& requests,
                                                           const GenerateOptions& how) {
  Progress progress("sample", static_cast<int64_t>(requests.size()), "image");
  std::vector<Drawing> drawings = generate(model, requests, how, [&](int64_t done, int64_t total) {
    progress.update(done * static_cast<int64_t>(requests.size()) / total);
    return !interrupted();
  });
  if (drawings.empty()) return std::nullopt;
  return drawings;
}

int SampleCommand::recreate(const Model& model, const Request& request, const GenerateOptions& how,
                            const Recipe& recipe) {
  PictureFiles files(out, force);
  const auto drawings = generate_with_progress(model, {request}, how);
  if (!drawings) return kExitInterrupted;
  const Tensor& image = drawings->front().image;
  const Tensor original = read_image(from);
  std::optional<int64_t> difference;
  if (image.sizes() == original.sizes())
    difference = (image.to(at::kInt) - original.to(at::kInt)).abs().max().item<int64_t>();
  const fs::path path = files.write(image, {{kParametersKey, to_parameters(make_recipe(model, request, how))}});
  if (as_json()) {
    nlohmann::ordered_json json{{"file", path.string()},
                                {"identical", difference == 0},
                                {"difference", nullptr},
                                {"model_hash", model.hash},
                                {"recipe_hash", recipe.model_hash}};
    if (difference) json["difference"] = *difference;
    print_json(json);
    return 0;
  }
  const std::string verdict = !difference        ? "another size"
                              : *difference == 0 ? "identical"
                                                 : fmt::format("different, by at most {} of 255 levels", *difference);
  fmt::print("{}: {}{}\n", path.string(), verdict,
             recipe.model_hash == model.hash ? "" : fmt::format(" (drawn by model {}, now {})", recipe.model_hash, model.hash));
  return 0;
}

int SampleCommand::draw(const Model& model, const std::vector<Request>& requests, const GenerateOptions& how) {
  const int64_t columns = parse_columns(grid, static_cast<int64_t>(requests.size()) / frame_count());
  PictureFiles files(out, force);
  const auto drawings = generate_with_progress(model, requests, how);
  if (!drawings) return kExitInterrupted;

  std::vector<Tensor> images;
  std::vector<std::string> captions;
  bool prompts_differ = false;
  const auto step = static_cast<size_t>(frame_count());
  for (size_t i = 0; i < requests.size(); i += step) {
    std::vector<Tensor> row;
    for (size_t k = i; k < i + step; ++k) row.push_back(drawings->at(k).image);
    images.push_back(at::cat(strip ? drawings->at(i).strip : row, /*dim=*/1));
    captions.push_back(requests[i].prompt);
    prompts_differ |= requests[i].prompt != requests[0].prompt;
  }
  const auto recipe_of = [&](size_t i) -> PngText {
    return {{kParametersKey, to_parameters(make_recipe(model, requests[i], how))}};
  };
  const bool is_strip = strip || step > 1;  // whose recipe would be those of its parts
  std::vector<fs::path> written;
  if (!files.single_file()) {
    for (size_t i = 0; i < requests.size(); ++i) written.push_back(files.write(drawings->at(i).image, recipe_of(i)));
    if (is_strip)
      for (const Tensor& image : images) written.push_back(files.write_named("strip", image, {}));
  }
  const bool one_picture = files.single_file() && images.size() == 1;
  if (one_picture) {
    written.push_back(files.write(images.front(), is_strip ? PngText{} : recipe_of(0)));
  } else if (!grid.empty() || files.single_file()) {
    if (!prompts_differ) captions.clear();
    const GridOptions layout{.columns = columns, .min_tile = prompts_differ ? 128 : 0};
    const Tensor picture = make_grid(images, captions, layout);
    written.push_back(files.single_file() ? files.write(picture, {}) : files.write_named("grid", picture, {}));
  }
  for (const fs::path& path : written) {
    if (as_json())
      print_json({{"file", path.string()}});
    else
      fmt::print("{}\n", path.string());
  }
  return 0;
}

int SampleCommand::run() {
  std::optional<Recipe> recipe;
  if (!from.empty()) {
    recipe = read_recipe(from);
    use_recipe(*recipe);
  }
  std::optional<RunConfig> fallback;
  if (!source.empty()) {
    source.apply(*options);
    fallback = config;
  }
  Model loaded = load_model(model, parse_device(device), fallback);
  attach_encoders(loaded, encoders);
  if (!precision.empty()) set_precision(loaded, find(precisions(), precision, "precision").value);
  const std::vector<Request> requests = make_requests(loaded);
  if (recipe && requests.size() > 1) fail("--from draws one image again, not {}: give one seed and one prompt", requests.size());
  const GenerateOptions how = make_options(loaded, std::ssize(requests));
  return recipe ? recreate(loaded, requests.front(), how, *recipe) : draw(loaded, requests, how);
}

}  // namespace

void add_sample_command(CLI::App& app, ExitCode& exit_code) {
  CLI::App* sub = app.add_subcommand("sample", "draw images with a trained model");
  auto command = std::make_shared<SampleCommand>();
  SampleCommand& c = *command;
  sub->add_option("-m,--model", c.model, "run folder, checkpoint, bundle, .safetensors or .pth")->required();
  add_encoder_options(*sub, c.encoders);
  sub->add_option("--tile", c.tile,
                  "decode latents in blended tiles of that side (less memory, seams hardly to be seen), or 0: as a whole; "
                  "default: as a whole if there is memory for it")
      ->check(number<int64_t>())
      ->check(at_least(0));
  sub->add_option("-p,--prompt", c.prompts, "text to draw; may be given more than once");
  sub->add_option("--prompts", c.prompts_file, "file of prompts, one a line");
  sub->add_option("--class", c.label, "class name or number to draw");
  sub->add_option("-n,--negative", c.negative, "text that guidance leads away from");
  sub->add_option("-s,--seeds", c.seeds, "such as 0-63 or 1,5,9-12; each prompt is drawn with each seed")
      ->check(taken_by(parse_seeds))
      ->default_str(kDefaultSeeds);
  sub->add_option("--init", c.init, "picture to start from instead of noise (image to image)");
  sub->add_option("--strength", c.strength,
                  "how much of --init turns into noise first, 0.01 to 1; default: 0.6, with --mask 1")
      ->check(number<double>())
      ->check(between(0.01, 1));
  sub->add_option("--mask", c.mask, "picture of the size of --init: only its white parts are drawn anew (inpainting)");
  sub->add_option("--to-prompt", c.to_prompt, "draw frames on the way from each prompt to this one");
  sub->add_option("--to-seed", c.to_seed, "draw frames on the way from each seed to this one")
      ->check(number<uint64_t>());
  sub->add_option("--frames", c.frames, "how many, both ends included; default: 8")
      ->check(number<int64_t>())
      ->check(between(2, 1000));
  sub->add_option("--sampler", c.sampler, "default: the model's own")->check(one_of(samplers()));
  sub->add_option("--steps", c.steps, "network calls; default: the model's own")
      ->check(number<int64_t>())
      ->check(at_least(1));
  sub->add_option("--cfg-scale", c.cfg_scale,
                  "guidance, 1 is none; the scale s of U-ViT and CogAttn is s + 1 here; default: the model's own")
      ->check(number<double>())
      ->check(at_least(0));
  sub->add_option("--eta", c.eta, "of the ddim sampler: 0 deterministic, 1 like ddpm")
      ->check(number<double>())
      ->check(between(0, 1));
  sub->add_option("--precision", c.precision, "of matrix products; bf16 is faster on processors that multiply it; default: fp32")
      ->check(one_of(precisions()));
  sub->add_option("-b,--batch", c.batch, "images at a time; on the CPU it does not change them")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  sub->add_option("--grid", c.grid, "also a grid of all images: RxC, or auto")
      ->check(taken_by([](const std::string& grid) { parse_columns(grid, 0); }));
  sub->add_flag("--strip", c.strip, "show how each image emerges, in frames from left to right");
  sub->add_option("-o,--out", c.out, "folder (files are numbered), or FILE.png for one image or a grid")
      ->capture_default_str();
  sub->add_option("--from", c.from, "draw the image of this PNG's recipe again and compare; flags override the recipe");
  sub->add_flag("--force", c.force, "overwrite existing files");
  sub->add_option("--device", c.device, "cpu, cuda or cuda:N")->check(device_name())->capture_default_str();
  c.source.add_options(*sub);
  command->options = std::make_unique<RunOptions>(*sub, c.config, RunOptions::kModelOnly);
  sub->callback([command, &exit_code] { exit_code = command->run(); });
}

}  // namespace uvic
