// uvic fid, uvic stats
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/json_lines.h"
#include "app/score_side.h"
#include "app/writable.h"
#include "core/files.h"
#include "core/progress.h"
#include "eval/frechet.h"
#include "eval/scoring.h"

namespace uvic {
namespace {

// Below it the distance says more about the number of images than about the images: pytorch-fid asks for as many as
// there are features, 2048 in Inception.
constexpr int64_t kEnoughImages = 2048;

// The features that a distance is measured in.
struct Features {
  std::string label, name, weights;
  int64_t dims;
};

Features features_of(const FeatureNet& net) {
  return {net.label(), net.name(), net.weights_sha256(), net.dims()};
}

std::string note(const Side& side, const std::string& name) {
  const auto found = side.notes.find(name);
  return found == side.notes.end() ? "" : found->second;
}

// Two statistics can be compared without the network behind them. Without notes it is unknown, so the label counts
// features only.
Features features_of_statistics(const Side& a, const Side& b) {
  const int64_t dims = a.gaussian->mu.size(0);
  if (dims != b.gaussian->mu.size(0))
    fail("{} has {} features, {} has {}: they come from different networks", a.text, dims, b.text,
         b.gaussian->mu.size(0));
  for (const char* name : {"features", "weights"})
    if (const std::string x = note(a, name), y = note(b, name); !x.empty() && !y.empty() && x != y)
      fail("{} comes from {} '{}', {} from '{}': recompute one of them with `uvic stats`", a.text, name, x, b.text, y);
  if (note(a, "label").empty() || note(b, "label").empty()) return {fmt::format("FD({} features)", dims), "", "", dims};
  return {note(a, "label"), note(a, "features"), note(a, "weights"), dims};
}

void warn_of_few_images(int64_t dims, std::initializer_list<const Side*> sides) {
  const int64_t enough = std::max(kEnoughImages, dims);
  int64_t fewest = enough;
  for (const Side* side : sides)
    if (side->count > 0) fewest = std::min(fewest, side->count);
  if (fewest == enough) return;
  warn(fmt::format(
      "{} images are few: below {} the distance is biased upward, so compare it only with others of as many "
      "images{}",
      fewest, enough, fewest < dims ? fmt::format(" ({} features have no full covariance from them)", dims) : ""));
}

struct FidCommand {
  Scoring scoring;
  std::string text_a, text_b;

  void run() {
    const auto begin = std::chrono::steady_clock::now();
    Side a = scoring.open(text_a), b = scoring.open(text_b);
    scoring.check_flags({&a, &b});
    scoring.plan(a, &b);
    scoring.plan(b, &a);
    std::unique_ptr<FeatureNet> net;
    if (!a.gaussian || !b.gaussian || !scoring.features.empty()) net = load_net({&a, &b});
    const Features used = net ? features_of(*net) : features_of_statistics(a, b);
    warn_of_few_images(used.dims, {&a, &b});
    if (!a.gaussian) a.gaussian = measure(*net, a.images, a.count, "A: " + a.text);
    if (!b.gaussian) b.gaussian = measure(*net, b.images, b.count, "B: " + b.text);
    const double value = frechet_distance(*a.gaussian, *b.gaussian);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (as_json())
      print_json({{"value", value},
                  {"label", used.label},
                  {"features", used.name},
                  {"weights", used.weights},
                  {"a", to_json(a)},
                  {"b", to_json(b)},
                  {"seconds", seconds}});
    else
      fmt::print("{} {:.4f}   A: {}  B: {}\n", used.label, value, describe(a), describe(b));
  }

 private:
  // Statistics say which network they need.
  std::unique_ptr<FeatureNet> load_net(std::initializer_list<const Side*> sides) const {
    std::string name = scoring.features;
    for (const Side* side : sides)
      if (name.empty() && scoring.weights.empty()) name = note(*side, "features");
    auto net = load_feature_net(name, scoring.weights);
    for (const Side* side : sides)
      if (side->form == Form::kStatistics) check_comparable(side->text, *side->gaussian, side->notes, *net);
    return net;
  }
};

struct StatsCommand {
  Scoring scoring;
  std::string text, out;
  bool force = false;

  void run() {
    if (fs::path(out).extension() != ".npz") fail("--out {}: statistics are an .npz file", out);
    if (fs::exists(out) && !force) fail("{} exists: give --force to overwrite it", out);
    Side side = scoring.open(text);
    if (side.form == Form::kStatistics) fail("{} holds statistics already", text);
    scoring.check_flags({&side});
    scoring.plan(side, nullptr);
    const auto net = load_feature_net(scoring.features, scoring.weights);
    expect_writable(fs::path(out).parent_path());
    side.gaussian = measure(*net, side.images, side.count, text);
    auto notes = notes_of(*net);
    notes["label"] = net->label();
    notes["source"] = describe(side);
    notes["version"] = "uvic " UVIC_VERSION;
    write_gaussian(out, *side.gaussian, notes);
    if (as_json()) {
      nlohmann::ordered_json json = to_json(side);
      json.update({{"file", out}, {"features", net->name()}, {"weights", net->weights_sha256()}});
      print_json(json);
    } else {
      fmt::print("{}: {} features of {}, {}\n", out, net->dims(), describe(side), net->name());
    }
  }
};

}  // namespace

void add_fid_commands(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("fid", "distance between two sets of images, one of them perhaps a model's");
  auto fid = std::make_shared<FidCommand>();
  const std::string forms = "folder or archive of images, data SPEC, statistics (.npz), run folder or model file";
  sub->add_option("A", fid->text_a, forms)->required();
  sub->add_option("B", fid->text_b, forms)->required();
  fid->scoring.add_options(*sub);
  sub->callback([fid] { fid->run(); });

  sub = app.add_subcommand("stats",
                           "keep the statistics of images, for fid (and pytorch-fid, in inception-fid features)");
  auto stats = std::make_shared<StatsCommand>();
  sub->add_option("SOURCE", stats->text, "folder or archive of images, data SPEC, run folder or model file")
      ->required();
  sub->add_option("-o,--out", stats->out, "FILE.npz")->required();
  sub->add_flag("--force", stats->force, "overwrite an existing file");
  stats->scoring.add_options(*sub);
  sub->callback([stats] { stats->run(); });
}

}  // namespace uvic
