// uvic clip-score
#include <chrono>
#include <memory>

#include "app/cli/results.h"
#include "app/score/captions.h"
#include "app/score/clip_score.h"
#include "app/score/scoring.h"
#include "app/world/shared_work.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/text.h"
#include "eval/features.h"
#include "eval/metrics/clip_score.h"

namespace uvic {
namespace {

struct ClipScoreCommand {
  Scoring scoring;
  SharedWork work;
  std::string text, folder, prompts;

  ClipScoreCommand() { scoring.fewest = 1; }

  void run() {
    work.run([&](const World& world) { run(world); });
  }

 private:
  void run(const World& world) {
    const auto begin = std::chrono::steady_clock::now();
    const ClipModel clip = load_clip_model(folder);
    const std::string weights = sha256_of_file(clip.weights).substr(0, kWeightsDigits);
    Side side = scoring.open(text);
    if (!side.has_images()) fail("{} holds no images, only what a network said of them: give the images", text);
    scoring.check_flags({&side});
    const auto captions = plan(side);
    for (int64_t i = 0; i < std::min(side.count, captions->size()); ++i) caption_of(*captions, i);  // before any work

    const ClipScores scored = score_with_clip(world, clip, weights, *side.images, *captions, side.count, text);
    if (world.rank() > 0) return;
    side.set = FeatureSet();
    side.set->moments.n = scored.scores.size(0);
    if (scored.cut_off > 0)
      warn(fmt::format("{} captions have more than {} tokens: CLIP reads only their beginnings", scored.cut_off,
                       clip.net.config().text.max_position_embeddings));
    const MetricValue value = mean_clip_score(scored.scores);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    print_result(as_fields(value, weights, side, *captions, seconds), as_text(value, weights, side));
  }

  // Decides how many images count; returns their captions.
  std::shared_ptr<const Dataset> plan(Side& side) const {
    const auto given = prompts.empty() ? nullptr : open_captions(prompts, scoring.num);
    if (const ModelSide* drawn = side.as<ModelSide>()) {
      const RunConfig& config = drawn->model->card.config;
      if (config.model.context_tokens == 0)
        fail(
            "{} was trained without captions, so its images have none: draw them with `uvic sample` and give --prompts",
            text);
      side.count = scoring.num > 0 ? scoring.num : given ? given->size() : config.eval.num;
      const auto captions = given ? given : conditions_for(*drawn->model, nullptr, side.count);
      side.images = model_images(*drawn->model, captions, drawn->how);
      return captions;
    }
    if (given) {
      const int64_t captions = given->size();
      const bool goes_on = side.data() && side.count == scoring.num;  // perhaps: of a data SPEC no more were opened
      if (captions != side.images->size() && captions != side.count && !(goes_on && captions > side.count))
        fail("{} has {} captions and {} has {} images: expected one for each, in their order", prompts, captions, text,
             side.images->size());
      return given;
    }
    if (const auto data = side.data()) return data;
    const FilesSide* files = side.as<FilesSide>();
    if (!files || !files->tree) fail("{} holds no captions: give them with --prompts", text);
    return captions_of_files(*files->tree, side.count);
  }

  std::string as_text(const MetricValue& value, const std::string& weights, const Side& side) const {
    std::string line = fmt::format("{} {:.{}f}", value.name, value.value, value.decimals);
    if (!value.spread_of.empty()) line += fmt::format(" ± {:.{}f}", value.spread, value.decimals);
    line += value.spread_of.empty() ? " (" : fmt::format(" ({}, ", value.spread_of);
    return fmt::format("{}n={}, {}, weights {})   {}", line, side.set->moments.n, visible(folder), weights,
                       visible(describe(side)));
  }

  Fields as_fields(const MetricValue& value, const std::string& weights, const Side& side, const Dataset& captions,
                   double seconds) const {
    Fields fields = to_json(value);
    fields.update(
        {{"label", value.name}, {"clip", folder}, {"weights", weights}, {"captions", captions.description()}});
    fields.update(to_json(side));
    fields["seconds"] = seconds;
    return fields;
  }
};

}  // namespace

void add_clip_score_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("clip-score", "how well images fit their captions, in the eyes of a CLIP");
  auto command = std::make_shared<ClipScoreCommand>();
  sub->add_option("IMAGES", command->text,
                  "folder or archive of images, data SPEC, images (.npz), run folder or model file")
      ->required();
  sub->add_option("--clip", command->folder,
                  "folder of a whole CLIP as Hugging Face has it, such as openai/clip-vit-base-patch32")
      ->required();
  sub->add_option(
      "--prompts", command->prompts,
      "the captions: a file, one a line in the order of the images' names, or a data SPEC; default: those of "
      "the data, of NAME.txt or metadata.jsonl beside the images, or in PNGs of `uvic sample`; a model draws "
      "what they say");
  command->scoring.add_image_options(*sub, "as many as there are prompts, without --prompts its eval.num");
  command->work.ranks.add_ranks(*sub);
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
