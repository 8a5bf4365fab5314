#include "app/score/scoring.h"

#include <algorithm>

#include "app/cli/checks.h"
#include "app/model/identify.h"
#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "eval/feats.h"
#include "eval/inception_input.h"
#include "eval/scoring.h"
#include "eval/stats_shard.h"

namespace uvic {
namespace {

constexpr const char* kForms =
    "expected a folder or archive of images, a data SPEC (such as shapes?split=test), statistics or images (.npz), "
    "features (.feats), or a run folder or model file (.safetensors, .pth)";

}  // namespace

void Scoring::add_options(CLI::App& app, const std::string& of_model) {
  std::string list;
  for (const auto& entry : feature_nets()) list += fmt::format("\n  {:18} {}", entry.name, entry.summary);
  app.add_option("--features", features,
                 "feature network; default: that of the statistics given, else inception-fid if its weights are there, "
                 "else efficientnet-lite0" +
                     list)
      ->check(one_of(feature_nets()).description(""));
  app.add_option("--weights", weights,
                 "weights file of the feature network (inception-fid unless --features is given)");
  std::string modes;
  for (const auto& mode : resize_modes()) modes += fmt::format("\n  {:12} {}", mode.name, mode.summary);
  app.add_option("--resize", resize, "how inception-fid sees images; default: as the statistics given" + modes)
      ->check(one_of(resize_modes()).description(""));
  std::string rules;
  for (const auto& rule : protocols()) rules += fmt::format("\n  {:15} {}", rule.name, rule.summary);
  app.add_option("--protocol", protocol, "how the score is made, fixed under a name; noted and compared" + rules)
      ->check(one_of(protocols()).description(""));
  add_image_options(app, of_model);
}

void Scoring::add_image_options(CLI::App& app, const std::string& of_model) {
  app.add_option("--num", num, "at most so many images; default: all, and of a model " + of_model)
      ->check(CLI::Range(fewest, int64_t{100'000'000}));
  for_models = {app.add_option("-b,--batch", batch, "images drawn at a time; on the CPU it does not change them")
                    ->check(CLI::Range(1, 4096))};
  settings.add_options(app, {"latent_scale", "strength"});
  model.add_options(app, "of the model that draws: cpu, cuda or cuda:N; feature networks run on the CPU");
  for (const auto& some : {settings.options(), model.options()})
    for_models.insert(for_models.end(), some.begin(), some.end());
}

const Entry<Protocol>* Scoring::rule() const {
  return protocol.empty() ? nullptr : &find(protocols(), protocol, "protocol");
}

void Scoring::expect_protocol() const {
  if (!rule()) return;
  const Protocol& p = rule()->value;
  settings.expect(p.settings, "--protocol " + protocol);
  if (!resize.empty() && resize != p.resize)
    fail("--resize {} contradicts --protocol {}, which has {}", resize, protocol, p.resize);
}

void Scoring::open_statistics(Side& side) const {
  side.set =
      FeatureSet{.moments = read_gaussian(side.text, &side.notes), .spatial = {}, .activations = {}, .sample = {}};
  side.count = side.set->moments.n;
}

void Scoring::open_features(Side& side) const {
  FeatsFile file = read_feats(side.text);
  Activations stored = file.activations;
  side.notes = std::move(file.notes);
  refuse_shard(side.text, side.notes);
  const int64_t rows = stored.features.size(0);
  side.count = num > 0 ? std::min(num, rows) : rows;
  if (side.count < 2) fail("{} holds the features of {} images; a score needs at least 2", side.text, rows);
  if (const std::string part = note(side, "unfinished"); !part.empty())
    warn(
        fmt::format("{} is unfinished, it has {}: go on with the `uvic stats` command that wrote it", side.text, part));
  for (const auto member : {&Activations::features, &Activations::logits, &Activations::spatial})
    if ((stored.*member).defined()) stored.*member = (stored.*member).narrow(0, 0, side.count);
  side.kind = FeaturesSide{stored};
}

void Scoring::open_model(Side& side) const {
  auto loaded = std::make_unique<Model>(model.load(side.text));
  std::optional<SampleConfig> fixed;
  if (rule()) fixed = rule()->value.settings;
  GenerateOptions how{.settings = choose_settings(*loaded, settings, fixed)};
  if (batch) how.batch = *batch;
  side.kind = ModelSide{std::move(loaded), how};
}

void Scoring::open_files(Side& side, bool is_array) const {
  FilesSide files;
  if (is_array) {
    side.images = array_images(side.text);
  } else {
    files.tree.emplace(side.text);
    side.images = file_images(*files.tree);
  }
  side.kind = std::move(files);
  side.count = num > 0 ? std::min(num, side.images->size()) : side.images->size();
}

void Scoring::open_data(Side& side) const {
  Spec spec = Spec::parse(side.text);
  std::shared_ptr<const Dataset> data;
  if (rule()) {
    data = open_dataset(protocol_data(*rule(), spec));
    side.notes["protocol"] = protocol_label(*rule(), data->image_size(), 0);
  } else {
    // Some kinds read every image on opening.
    const int64_t limit = spec.get_int("limit", 0);
    if (num > 0) spec.options["limit"] = std::to_string(limit > 0 ? std::min(limit, num) : num);
    data = open_dataset(spec);
  }
  side.kind = DataSide{data};
  side.images = dataset_images(data);
  side.count = num > 0 && !rule() ? std::min(num, data->size()) : data->size();
  if (!data->classes().empty()) side.labels = data;
}

Side Scoring::open(const std::string& text) const {
  Side side;
  side.text = text;
  switch (const PathKind kind = identify(text); kind) {
    case PathKind::kStatistics:
    case PathKind::kArrays:  // without what statistics have; reading says what that is
      open_statistics(side);
      break;
    case PathKind::kFeatures:
      open_features(side);
      break;
    case PathKind::kRun:
    case PathKind::kBundle:
    case PathKind::kCheckpoint:
    case PathKind::kWeights:
      open_model(side);
      break;
    case PathKind::kImageArray:
    case PathKind::kFolder:
    case PathKind::kArchive:
      open_files(side, kind == PathKind::kImageArray);
      break;
    case PathKind::kMissing:
      if (!names_dataset(text)) fail("there is no '{}': {}", text, kForms);
      open_data(side);
      break;
    case PathKind::kPicture:
    case PathKind::kUnknown:
      fail("cannot score '{}': {}", text, kForms);
  }
  if (side.images && side.count < fewest)
    fail("{} holds {}; a score needs at least {}", text, side.count == 1 ? "1 image" : "no images", fewest);
  return side;
}

void Scoring::check_flags(std::initializer_list<const Side*> sides) const {
  const auto any = [&](const auto& holds) { return std::any_of(sides.begin(), sides.end(), holds); };
  if (num > 0 && !any([](const Side* side) { return !side->as<StatisticsSide>(); }))
    fail("--num {} does not apply: statistics stand for the images they were computed from", num);
  if (!any([](const Side* side) { return side->has_images(); })) check_features_flags(sides);
  if (any([](const Side* side) { return side->as<ModelSide>() != nullptr; })) return;
  if (rule() && !any([](const Side* side) { return side->as<DataSide>() != nullptr; }))
    fail("--protocol applies to models and data SPECs, and none is given");
  for (const CLI::Option* option : for_models)
    if (option->count() > 0) fail("{} applies to models only, and none is given", option->get_name());
}

// Statistics and features are what they are: flags can only say the same.
void Scoring::check_features_flags(std::initializer_list<const Side*> sides) const {
  if (!weights.empty()) fail("--weights {} does not apply: no images are given", weights);
  for (const Side* side : sides)
    for (const auto& [flag, value] : {std::pair("features", features), std::pair("resize", resize)})
      if (const std::string noted = note(*side, flag); !value.empty() && noted != value)
        fail("--{} {} does not apply: {} comes from {}", flag, value, side->text,
             noted.empty() ? "something that it does not say" : noted);
}

void Scoring::plan(Side& side, const Side* other) const {
  ModelSide* drawn = side.as<ModelSide>();
  if (!drawn) return;
  if (rule()) return plan_by_protocol(side, other);
  side.count = num > 0 ? num : other && other->count > 0 ? other->count : drawn->model->card.config.eval.num;
  const auto conditions = conditions_for(*drawn->model, other ? other->data() : nullptr, side.count);
  side.images = model_images(*drawn->model, conditions, drawn->how);
  if (conditions && !conditions->classes().empty()) side.labels = conditions;
}

void Scoring::plan_by_protocol(Side& side, const Side* other) const {
  ModelSide& drawn = *side.as<ModelSide>();
  if (drawn.model->card.config.model.context_tokens == 0)
    fail("--protocol {}: {} was trained without captions", protocol, side.text);
  const auto data = other ? other->data() : nullptr;
  if (!data)
    fail("--protocol {}: the captions for {} come from the images it is compared with; use `uvic fid {} {}:PATH`",
         protocol, side.text, side.text, rule()->value.data);
  if (const int64_t size = picture_size(*drawn.model); size != data->image_size())
    fail("{} draws {} pixels, {} has {}: add size={} to it", side.text, size, other->text, data->image_size(), size);
  side.count = num > 0 ? num : rule()->value.images;
  drawn.chosen = chosen_captions(data, side.count);
  side.images = model_images(*drawn.model, drawn.chosen, drawn.how);
  side.notes["protocol"] = protocol_label(*rule(), drawn.chosen->image_size(), side.count);
}

void write_chosen_captions(const Side& side) {
  const ModelSide* drawn = side.as<ModelSide>();
  if (!drawn || !drawn->chosen) return;
  std::string name = note(side, "protocol"), list;
  std::ranges::replace(name, '/', '-');
  for (int64_t i = 0; i < side.count; ++i) list += drawn->chosen->captions(i).front() + '\n';
  const fs::path path(side.text), file = (fs::is_directory(path) ? path : path.parent_path()) / (name + ".txt");
  write_atomically(file, list);
  log_line(fmt::format("the captions are in {}", file.string()));
}

// What they were computed with counts, unless flags say otherwise.
std::unique_ptr<FeatureNet> Scoring::load_net(std::initializer_list<const Side*> sides) const {
  std::string name = features, mode = resize;
  for (const Side* side : sides) {
    const std::string noted = note(*side, "features");
    if (name.empty() && weights.empty()) name = noted;
    if (mode.empty() && (name.empty() || name == noted)) mode = note(*side, "resize");
  }
  auto net = load_feature_net(name, weights, mode);
  for (const Side* side : sides)
    if (!side->has_images()) check_comparable(side->text, side->dims(), side->notes, *net);
  return net;
}

}  // namespace uvic
