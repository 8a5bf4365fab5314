// uvic sample
#include <algorithm>
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/prompts.h"
#include "app/cli/results.h"
#include "app/cli/seeds.h"
#include "app/draw/album.h"
#include "app/draw/settings.h"
#include "app/draw/written_captions.h"
#include "app/model/model_argument.h"
#include "app/world/shared_work.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/precision.h"
#include "core/progress.h"
#include "core/text.h"

namespace uvic {
namespace {

constexpr int64_t kStripFrames = 8;
constexpr int64_t kFrames = 8;
constexpr const char* kDefaultSeeds = "0";

struct SampleCommand {
  std::string model, prompts_file, seeds, grid, out = "samples", from, negative, label, captions_from;
  SharedWork work;
  std::vector<std::string> prompts;
  std::optional<double> mix;
  std::string init, mask;
  std::optional<std::string> to_prompt;
  std::optional<uint64_t> to_seed;
  std::optional<int64_t> frames, num;
  int64_t batch = 16;
  bool strip = false, force = false, resume = false;
  ModelArgument argument;
  SettingFlags settings;

  void run(const World& world);

 private:
  SamplePlan make_plan(const Model& model) const;
  GenerateOptions make_options(Model& model, const std::optional<Recipe>& recipe, int64_t pictures) const;
  std::vector<double> mixes() const;
  void use_recipe(const Recipe& recipe);
  void draw(const World& world, const Model& model, const SamplePlan& plan, const GenerateOptions& how);
  void recreate(const Model& model, const Request& request, const GenerateOptions& how, const Recipe& recipe);
};

// A prompt the model cannot follow is drawn all the same, but not silently.
void warn_of_unknown_words(const Model& model, const std::vector<std::string>& prompts) {
  constexpr size_t kShown = 200;
  for (const std::string& prompt : prompts)
    for (const std::string& what : not_followed(model, prompt))
      warn(fmt::format("the model {}: \"{}\"", what, shortened(prompt, kShown)));
}

// How far each frame is; a recipe names the one that its picture is.
std::vector<double> SampleCommand::mixes() const {
  if (mix) return {*mix};
  std::vector<double> all;
  const int64_t last = frames.value_or(kFrames) - 1;
  for (int64_t i = 0; i <= last; ++i) all.push_back(static_cast<double>(i) / static_cast<double>(last));
  return all;
}

SamplePlan SampleCommand::make_plan(const Model& model) const {
  const bool takes_text = model.card.config.model.context_tokens > 0;
  if (!takes_text && !(prompts.empty() && negative.empty() && !to_prompt))
    fail("{} was trained without text: --prompt, --negative and --to-prompt do not apply to it{}", model.name,
         model.card.config.model.classes > 0 ? "; use --class" : "");
  std::optional<int64_t> id;
  if (!label.empty()) id = parse_class(model.card, model.name, label);
  warn_of_unknown_words(model, prompts);
  if (!negative.empty()) warn_of_unknown_words(model, {negative});
  if (to_prompt) warn_of_unknown_words(model, {*to_prompt});
  if (frames && !to_prompt && !to_seed)
    fail("--frames lie between two pictures: say where to with --to-prompt or --to-seed");
  SamplePlan plan{.prompts = prompts, .seeds = parse_seeds(seeds.empty() ? kDefaultSeeds : seeds), .common = {}};
  plan.common = {.prompt = "", .negative = negative, .label = id, .to_prompt = to_prompt, .to_seed = to_seed};
  if (to_prompt || to_seed) plan.mixes = mixes();
  if (strip && plan.frames() > 1) fail("--strip and frames are both strips: give one of them");
  if (plan.prompts.empty()) plan.prompts.emplace_back();
  return plan;
}

GenerateOptions SampleCommand::make_options(Model& model, const std::optional<Recipe>& recipe, int64_t pictures) const {
  std::optional<SampleConfig> base;
  if (recipe) base = recipe->settings;
  GenerateOptions how{.settings = choose_settings(model, settings, base), .batch = batch};
  if (!base && !settings.given("tile")) how.settings.tile = tile_for(model, std::min(pictures, batch));
  if (strip) how.strip = std::min(kStripFrames, how.settings.sampler.steps);
  if (!init.empty()) {
    how.edit = read_edit(init, mask, picture_size(model));
    if (how.settings.strength == 0) how.settings.strength = default_strength(*how.edit);
  } else if (!mask.empty() || how.settings.strength > 0) {
    fail("{} needs the picture to start from: give --init", mask.empty() ? "--strength" : "--mask");
  }
  return how;
}

// "the adapters pink (SHA-256 0123456789...) x 0.5"
std::string adapters_of(const std::vector<AdapterUse>& uses) {
  std::string list;
  for (const auto& [name, hash, weight] : uses)
    list += fmt::format("{}{} (SHA-256 {}...) x {}", list.empty() ? "the adapters " : ", ", visible(name),
                        visible(hash), weight);
  return list.empty() ? "no adapters" : list;
}

bool same_adapters(const std::vector<AdapterUse>& a, const std::vector<AdapterUse>& b) {
  return std::ranges::equal(a, b,
                            [](const auto& x, const auto& y) { return x.hash == y.hash && x.weight == y.weight; });
}

// What the recipe says and no flag overrides.
void SampleCommand::use_recipe(const Recipe& recipe) {
  if (prompts.empty() && !recipe.prompt.empty()) prompts = {recipe.prompt};
  if (negative.empty()) negative = recipe.negative;
  if (label.empty() && recipe.label) label = std::to_string(*recipe.label);
  if (argument.encoders.latent_scale == 0) argument.encoders.latent_scale = recipe.settings.latent_scale;
  if (!to_prompt) to_prompt = recipe.to_prompt;
  if (!to_seed) to_seed = recipe.to_seed;
  if (!frames && (recipe.to_prompt || recipe.to_seed)) mix = recipe.mix;
  const bool lacks_init = !recipe.image_hash.empty() && init.empty(),
             lacks_mask = !recipe.mask_hash.empty() && mask.empty();
  if (lacks_init) fail("{} was drawn from a picture (SHA-256 {}...): give it with --init", from, recipe.image_hash);
  if (lacks_mask) fail("{} was drawn with a mask (SHA-256 {}...): give it with --mask", from, recipe.mask_hash);
  if (!recipe.adapters.empty() && !argument.has_adapters())
    fail("{} was drawn with {}: give {} with --lora FILE:WEIGHT", from, adapters_of(recipe.adapters),
         recipe.adapters.size() == 1 ? "it" : "them");
  if (seeds.empty()) seeds = std::to_string(recipe.seed);
}

void SampleCommand::recreate(const Model& model, const Request& request, const GenerateOptions& how,
                             const Recipe& recipe) {
  PictureFiles files(out, force);
  std::vector<Drawing> drawings;
  {
    Progress progress("sample", 1, "image");
    drawings = generate(model, {request}, how, [&](int64_t done) {
      stop_if_interrupted();
      progress.update(done);
    });
  }
  const Tensor& image = drawings.front().image;
  const Tensor original = read_image(from);
  std::optional<int64_t> difference;
  if (image.sizes() == original.sizes())
    difference = (image.to(at::kInt) - original.to(at::kInt)).abs().max().item<int64_t>();
  const fs::path path = files.write(image, {{kParametersKey, to_parameters(make_recipe(model, request, how))}});
  const std::string verdict = !difference        ? "another size"
                              : *difference == 0 ? "identical"
                                                 : fmt::format("different, by at most {} of 255 levels", *difference);
  std::string other_model = recipe.model_hash == model.hash
                                ? ""
                                : fmt::format(" (drawn by model {}, now {})", visible(recipe.model_hash), model.hash);
  if (!same_adapters(recipe.adapters, model.adapters))
    other_model += fmt::format(" (drawn with {}, now {})", adapters_of(recipe.adapters), adapters_of(model.adapters));
  print_result({{"file", path.string()},
                {"identical", difference == 0},
                {"difference", difference ? Fields(*difference) : Fields()},
                {"model_hash", model.hash},
                {"recipe_hash", recipe.model_hash}},
               fmt::format("{}: {}{}", visible(path.string()), verdict, other_model));
}

void SampleCommand::draw(const World& world, const Model& model, const SamplePlan& plan, const GenerateOptions& how) {
  std::optional<int64_t> columns;
  if (!grid.empty()) columns = parse_columns(grid, plan.size() / plan.frames());
  const std::optional<Share> share = parse_share(work.shard);
  PictureFiles files(out, force);
  if (share && files.single_file()) fail("--shard {} draws into a folder: give --out FOLDER, not {}", work.shard, out);
  if (share && columns)
    fail("--shard {} draws a part, --grid shows all: make it when all shards are drawn, by --resume without --shard",
         work.shard);
  Album album(model, plan, how, files, columns, share);
  if (resume && files.single_file()) fail("--resume fills a folder up: give --out FOLDER, not {}", out);
  if (resume && share) album.resume_share();
  if (resume && !share) album.resume(DrawnBefore(out));
  if (share) album.expect_free();
  if (album.drawn() == album.size()) log_line(fmt::format("all {} images are in {} already", album.size(), out));

  try {
    Progress progress("sample", album.size(), "image", album.drawn());
    const int64_t before = album.drawn();
    generate(
        model, [&] { return album.next(); }, how,
        [&](const Request& request, const Drawing& drawing) { album.add(request, drawing); },
        [&](int64_t done) {
          stop_if_interrupted();
          progress.update(before + done);
        });
  } catch (const Interrupted&) {
    if (files.single_file()) album.finish();
    log_line(files.single_file()
                 ? fmt::format("interrupted: {} of {} images are drawn{}; of what goes to --out FOLDER, --resume draws "
                               "the rest",
                               album.drawn(), album.size(), album.drawn() > 0 ? " and in " + out : "")
                 : fmt::format("interrupted: {} of {} images are in {}; go on with the same command and --resume",
                               album.drawn(), album.size(), out));
    throw;
  }
  album.finish();
  world.barrier(kPatience);
  const std::vector<std::string> all = world.gather_lists(album.written());  // rank 0 has shown its own, and is heard
  for (size_t i = album.written().size(); i < all.size(); ++i) print_file(all[i]);
}

void SampleCommand::run(const World& world) {
  std::optional<Recipe> recipe;
  if (!from.empty()) {
    recipe = read_recipe(from);
    use_recipe(*recipe);
  }
  for (const std::string& prompt : prompts) expect_text("--prompt", prompt);
  expect_text("--negative", negative);
  if (to_prompt) expect_text("--to-prompt", *to_prompt);
  if (!prompts_file.empty())
    for (std::string& prompt : read_prompts(prompts_file)) prompts.push_back(std::move(prompt));
  if (num && captions_from.empty()) fail("--num counts captions of a language model: give --captions-from too");
  if (!captions_from.empty()) prompts = write_captions(captions_from, prompts, num.value_or(1));
  Model loaded = argument.load(model);
  const SamplePlan plan = make_plan(loaded);
  if (recipe && plan.size() > 1)
    fail("--from draws one image again, not {}: give one seed and one prompt", plan.size());
  const GenerateOptions how = make_options(loaded, recipe, plan.size());
  recipe ? recreate(loaded, plan.request(0), how, *recipe) : draw(world, loaded, plan, how);
}

}  // namespace

void add_sample_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("sample", "draw images with a trained model");
  auto command = std::make_shared<SampleCommand>();
  SampleCommand& c = *command;
  sub->add_option("-m,--model", c.model, "run folder, checkpoint, bundle, .safetensors or .pth")->required();
  sub->add_option("-p,--prompt", c.prompts, "text to draw; may be given more than once");
  sub->add_option("--prompts", c.prompts_file, "file of prompts, one a line");
  sub->add_option("--captions-from", c.captions_from,
                  "language model (run folder or .safetensors) that writes the prompts, or goes on with those given");
  sub->add_option("--num", c.num, "captions it writes for each; default: 1")
      ->check(number<int64_t>())
      ->check(at_least(1));
  sub->add_option("--class", c.label, "class name or number to draw");
  sub->add_option("-n,--negative", c.negative, "text that guidance leads away from");
  sub->add_option("-s,--seeds", c.seeds, "such as 0-63 or 1,5,9-12; each prompt is drawn with each seed")
      ->check(taken_by(parse_seeds))
      ->default_str(kDefaultSeeds);
  sub->add_option("--init", c.init, "picture to start from instead of noise (image to image)");
  sub->add_option("--mask", c.mask, "picture of the size of --init: only its white parts are drawn anew (inpainting)");
  sub->add_option("--to-prompt", c.to_prompt, "draw frames on the way from each prompt to this one");
  sub->add_option("--to-seed", c.to_seed, "draw frames on the way from each seed to this one")
      ->check(number<uint64_t>());
  sub->add_option("--frames", c.frames, "how many, both ends included; default: 8")
      ->check(number<int64_t>())
      ->check(between(2, 1000));
  c.settings.add_options(*sub, {"latent_scale"});  // --latent-scale stands with the encoders
  sub->add_option("-b,--batch", c.batch, "images at a time; on the CPU it does not change them")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  sub->add_option("--grid", c.grid, "also a grid of all images: RxC, or auto")
      ->check(taken_by([](const std::string& grid) { parse_columns(grid, 0); }));
  sub->add_flag("--strip", c.strip, "show how each image emerges, in frames from left to right");
  sub->add_option("-o,--out", c.out, "folder (files are numbered), or FILE.png for one image or a grid")
      ->capture_default_str();
  CLI::Option* from = sub->add_option(
      "--from", c.from, "draw the image of this PNG's recipe again and compare; flags override the recipe");
  CLI::Option* force = sub->add_flag("--force", c.force, "overwrite existing files");
  c.work.add_options(
      *sub,
      "draw only share I of N (0/N to N-1/N); files are numbered by what they show, so that all draw into "
      "one folder, also at the same time");
  sub->get_option("--shard")->excludes(from);
  sub->get_option("--ranks")->excludes(from);
  sub->add_flag("--resume", c.resume, "draw what of this the folder lacks, known by the recipes in its files")
      ->excludes(from)
      ->excludes(force);
  c.argument.add_options(*sub, "cpu, cuda or cuda:N");
  sub->callback([command] { command->work.run([&](const World& world) { command->run(world); }); });
}

}  // namespace uvic
