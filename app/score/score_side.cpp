#include "app/score/score_side.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/cli/checks.h"
#include "app/model/bundle.h"
#include "app/model/encoder_options.h"
#include "core/error.h"
#include "core/files.h"
#include "core/formats/archive.h"
#include "core/progress.h"
#include "eval/feats.h"
#include "eval/inception_input.h"
#include "eval/scoring.h"
#include "train/run_folder.h"

namespace uvic {
namespace {

constexpr const char* kForms =
    "expected a folder or archive of images, a data SPEC (such as shapes?split=test), statistics or images (.npz), "
    "features (.feats), or a run folder or model file (.safetensors, .pth)";

Form form_of(const std::string& text) {
  const fs::path path(text);
  const std::string extension = lower_extension(path);
  const bool exists = fs::exists(path);
  if (extension == ".npz" && exists) return is_image_array(path) ? Form::kFiles : Form::kStatistics;
  if (extension == ".feats" && exists) return Form::kFeatures;
  if (fs::is_directory(path)) {
    if (is_bundle(path) || RunFolder::is_run(path) || fs::exists(path / "model_ema.safetensors") ||
        fs::exists(path / "nnet_ema.pth"))
      return Form::kModel;
    return Form::kFiles;
  }
  if (exists && (extension == ".safetensors" || extension == ".pth")) return Form::kModel;
  if (exists && is_archive(path)) return Form::kFiles;
  if (exists) fail("cannot score '{}': {}", text, kForms);
  if (names_dataset(text)) return Form::kData;
  fail("there is no '{}': {}", text, kForms);
}

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
  for_models = {
      app.add_option("-b,--batch", batch, "images drawn at a time; on the CPU it does not change them")
          ->check(CLI::Range(1, 4096)),
      app.add_option("--cfg-scale", cfg_scale, "guidance, 1 is none; default: the model's own")
          ->check(number<double>())
          ->check(between(0, 3e38)),
      app.add_option("--sampler", sampler, "default: the model's own")->check(one_of(samplers())),
      app.add_option("--steps", steps, "network calls per image; default: the model's own")
          ->check(number<int64_t>())
          ->check(at_least(1)),
      app.add_option("--device", device,
                     "of the model that draws: cpu, cuda or cuda:N; feature networks run on the CPU")
          ->check(device_name())
          ->capture_default_str(),
  };
  const size_t others = app.get_options().size();
  add_encoder_options(app, encoders);
  source.add_options(app);
  options = std::make_unique<RunOptions>(app, config, RunOptions::kModelOnly);
  const auto all = static_cast<const CLI::App&>(app).get_options();
  for_models.insert(for_models.end(), all.begin() + static_cast<std::ptrdiff_t>(others), all.end());
}

const Entry<Protocol>* Scoring::rule() const {
  return protocol.empty() ? nullptr : &find(protocols(), protocol, "protocol");
}

void Scoring::fix_by_protocol() {
  if (!rule()) return;
  const Protocol& p = rule()->value;
  const auto expect = [&](const char* flag, bool agrees, const std::string& fixed) {
    if (!agrees) fail("{} contradicts --protocol {}, which has {}", flag, protocol, fixed);
  };
  expect("--sampler", sampler.empty() || sampler == p.sampler, std::string(p.sampler));
  expect("--steps", steps.value_or(p.steps) == p.steps, fmt::format("{} steps", p.steps));
  expect("--cfg-scale", cfg_scale.value_or(p.cfg_scale) == p.cfg_scale, fmt::format("guidance {}", p.cfg_scale));
  expect("--resize", resize.empty() || resize == p.resize, fmt::format("the {} resize", p.resize));
  sampler = p.sampler;
  steps = p.steps;
  cfg_scale = p.cfg_scale;
}

void Scoring::open_model(Side& side) const {
  std::optional<RunConfig> fallback;
  if (!source.empty()) {
    source.apply(*options);
    fallback = config;
  }
  side.model = std::make_unique<Model>(load_model(side.text, parse_device(device), fallback));
  attach_encoders(*side.model, encoders);
  const SampleConfig& own = side.model->card.config.sample;
  side.how = {.sampler = own.sampler, .cfg_scale = cfg_scale.value_or(own.cfg_scale)};
  if (batch) side.how.batch = *batch;
  if (!sampler.empty()) side.how.sampler.kind = sampler;
  if (steps) side.how.sampler.steps = *steps;
}

void Scoring::open_features(Side& side) const {
  FeatsFile file = read_feats(side.text);
  side.stored = file.activations;
  side.notes = std::move(file.notes);
  const int64_t rows = side.stored.features.size(0);
  side.count = num > 0 ? std::min(num, rows) : rows;
  if (side.count < 2) fail("{} holds the features of {} images; a score needs at least 2", side.text, rows);
  if (const std::string part = note(side, "unfinished"); !part.empty())
    warn(
        fmt::format("{} is unfinished, it has {}: go on with the `uvic stats` command that wrote it", side.text, part));
  for (const auto member : {&Activations::features, &Activations::logits, &Activations::spatial})
    if ((side.stored.*member).defined()) side.stored.*member = (side.stored.*member).narrow(0, 0, side.count);
}

void Scoring::open_data(Side& side) const {
  Spec spec = Spec::parse(side.text);
  if (rule()) {
    side.data = open_dataset(protocol_data(*rule(), spec));
    side.notes["protocol"] = protocol_label(*rule(), side.data->image_size(), 0);
  } else {
    // Some kinds read every image on opening.
    const int64_t limit = spec.get_int("limit", 0);
    if (num > 0) spec.options["limit"] = std::to_string(limit > 0 ? std::min(limit, num) : num);
    side.data = open_dataset(spec);
  }
  side.images = dataset_images(side.data);
  if (!side.data->classes().empty()) side.labels = side.data;
}

Side Scoring::open(const std::string& text) const {
  Side side;
  side.text = text;
  side.form = form_of(text);
  switch (side.form) {
    case Form::kStatistics:
      side.set =
          FeatureSet{.moments = read_gaussian(text, &side.notes), .spatial = {}, .activations = {}, .sample = {}};
      side.count = side.set->moments.n;
      break;
    case Form::kFeatures:
      open_features(side);
      break;
    case Form::kModel:
      open_model(side);
      break;
    case Form::kFiles:
      if (lower_extension(text) != ".npz") side.files.emplace(text);
      side.images = side.files ? file_images(*side.files) : array_images(text);
      break;
    case Form::kData:
      open_data(side);
  }
  if (side.form == Form::kFiles || side.form == Form::kData) {
    const bool all = num == 0 || (rule() && side.data);
    side.count = all ? side.images.size : std::min(num, side.images.size);
    if (side.count < fewest)
      fail("{} holds {}; a score needs at least {}", text, side.count == 1 ? "1 image" : "no images", fewest);
  }
  return side;
}

void Scoring::check_flags(std::initializer_list<const Side*> sides) const {
  const auto any = [&](const auto& holds) { return std::any_of(sides.begin(), sides.end(), holds); };
  if (num > 0 && !any([](const Side* side) { return side->form != Form::kStatistics; }))
    fail("--num {} does not apply: statistics stand for the images they were computed from", num);
  if (!any([](const Side* side) { return side->has_images(); })) check_features_flags(sides);
  if (any([](const Side* side) { return side->form == Form::kModel; })) return;
  if (rule() && !any([](const Side* side) { return side->form == Form::kData; }))
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
  if (!side.model) return;
  if (rule()) return plan_by_protocol(side, other);
  side.count = num > 0 ? num : other && other->count > 0 ? other->count : side.model->card.config.eval.num;
  const auto conditions = conditions_for(*side.model, other ? other->data : nullptr, side.count);
  side.images = model_images(*side.model, conditions, side.how);
  if (conditions && !conditions->classes().empty()) side.labels = conditions;
}

void Scoring::plan_by_protocol(Side& side, const Side* other) const {
  const Model& model = *side.model;
  if (model.card.config.model.context_tokens == 0)
    fail("--protocol {}: {} was trained without captions", protocol, side.text);
  if (!other || !other->data)
    fail("--protocol {}: the captions for {} come from the images it is compared with; use `uvic fid {} {}:PATH`",
         protocol, side.text, side.text, rule()->value.data);
  if (const int64_t size = picture_size(model); size != other->data->image_size())
    fail("{} draws {} pixels, {} has {}: add size={} to it", side.text, size, other->text, other->data->image_size(),
         size);
  side.count = num > 0 ? num : rule()->value.images;
  const auto chosen = chosen_captions(other->data, side.count);
  side.images = model_images(model, chosen, side.how);
  side.notes["protocol"] = protocol_label(*rule(), chosen->image_size(), side.count);

  std::string name = side.notes["protocol"], list;
  std::replace(name.begin(), name.end(), '/', '-');
  for (int64_t i = 0; i < side.count; ++i) list += chosen->captions(i).front() + '\n';
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

int64_t Side::dims() const {
  return set ? set->moments.mu.size(0) : stored.features.size(1);
}

void measure(Side& side, const FeatureNet* net, const Keep& keep, const std::string& task) {
  if (side.set) return;
  if (side.form != Form::kFeatures) {
    FeatureCollector collector(keep);
    run_network(std::bind_front(&FeatureNet::activations, net), side.images, side.count, task,
                [&](const Activations& batch, std::span<const int64_t> indices) {
                  collector.add(batch);
                  side.image_of_row.insert(side.image_of_row.end(), indices.begin(), indices.end());
                });
    side.set = collector.finish();
    return;
  }
  constexpr int64_t kRows = 1024;
  FeatureCollector collector({.features = false, .logits = false, .spatial = keep.spatial});  // the rest is in the file
  for (int64_t begin = 0; begin < side.count; begin += kRows) {
    const int64_t rows = std::min(kRows, side.count - begin);
    collector.add({side.stored.features.narrow(0, begin, rows),
                   {},
                   keep.spatial ? side.stored.spatial.narrow(0, begin, rows) : Tensor()});
  }
  side.set = collector.finish();
  side.set->activations = side.stored;
}

std::string note(const Side& side, const std::string& name) {
  const auto found = side.notes.find(name);
  return found == side.notes.end() ? "" : found->second;
}

// What files in folders and archives are is not known, nor statistics that uvic did not write.
std::optional<std::string> known_protocol(const Side& side) {
  const bool known = side.model || side.data || !note(side, "features").empty();
  return known ? std::optional(note(side, "protocol")) : std::nullopt;
}

std::string describe(const Side& side) {
  const int64_t n = side.set->moments.n;
  std::string text = fmt::format("{} ({}", side.text, n > 0 ? fmt::format("{} images", n) : "statistics");
  if (side.model)
    text +=
        fmt::format(", {} {} steps, guidance {}", side.how.sampler.kind, side.how.sampler.steps, side.how.cfg_scale);
  return text + ")";
}

nlohmann::ordered_json to_json(const MetricValue& value) {
  nlohmann::ordered_json json{{"value", value.value}};
  if (!value.spread_of.empty()) json.update({{"spread", value.spread}, {"spread_of", value.spread_of}});
  return json;
}

nlohmann::json to_json(const Side& side) {
  nlohmann::json json{{"source", side.text}, {"images", side.set->moments.n}};
  if (side.model) {
    json["model_hash"] = side.model->hash;
    json["sampler"] = side.how.sampler.kind;
    json["steps"] = side.how.sampler.steps;
    json["guidance"] = side.how.cfg_scale;
  }
  return json;
}

}  // namespace uvic
