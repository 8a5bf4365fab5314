// uvic fid
#include <algorithm>
#include <chrono>
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/score/doctor.h"
#include "app/score/explain.h"
#include "app/score/scoring.h"
#include "app/world/shared_work.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/text.h"
#include "core/writable.h"
#include "eval/metrics/metric.h"

namespace uvic {
namespace {

// The features that a distance is measured in.
struct Features {
  std::string label, name, weights, resize;
  int64_t dims;
};

Features features_of(const FeatureNet& net) {
  return {distance_label(net.name(), net.weights_sha256()), net.name(), net.weights_sha256(), net.resize(), net.dims()};
}

// Two statistics can be compared without the network behind them. If they do not say which it is, the label counts
// features only.
Features features_of_statistics(const Side& a, const Side& b) {
  const int64_t dims = a.dims();
  if (dims != b.dims())
    fail("{} has {} features, {} has {}: they come from different networks", a.text, dims, b.text, b.dims());
  for (const char* name : {"features", "weights", "resize"})
    if (const std::string x = note(a, name), y = note(b, name); !x.empty() && !y.empty() && x != y)
      fail("{} comes from {} '{}', {} from '{}': recompute one of them with `uvic stats`", a.text, name, x, b.text, y);
  const std::string network = note(a, "features"), weights = note(a, "weights");
  const bool known = network == note(b, "features") && !weights.empty() && weights == note(b, "weights") &&
                     std::ranges::any_of(feature_nets(), [&](const auto& net) { return net.name == network; });
  if (!known) return {fmt::format("FD({} features)", dims), "", "", "", dims};
  return {distance_label(network, weights), network, weights, note(a, "resize"), dims};
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

// A distance of other features than the FID's is no FID.
std::string key_of(const Features& features, const std::string& name) {
  const size_t fid = features.label == "FID" ? std::string::npos : name.find("FID");
  return fid == std::string::npos ? name : std::string(name).replace(fid, 3, "FD");
}

// Numbers of other features than the FID's say so: "KID(efficientnet-lite0)" beside "FD(efficientnet-lite0)".
std::string name_in(const Features& features, const std::string& name) {
  if (features.label == "FID") return name;
  return key_of(features, name) + features.label.substr(features.label.find('('));
}

// `images`: how many are drawn; 0: unknown
std::string to_text(const MetricValue& value, const Features& features, int64_t images) {
  std::string text = fmt::format("{} {:.{}f}", name_in(features, value.name), value.value, value.decimals);
  if (value.spread_of.empty()) return text;
  text += fmt::format(" ± {:.{}f} ({}", value.spread, value.decimals, value.spread_of);
  if (images > 0) text += fmt::format(", n={}", images);
  if (!features.resize.empty()) text += fmt::format(", {} resize", features.resize);
  if (!features.weights.empty()) text += fmt::format(", weights {}", features.weights);
  return text + ")";
}

// The label of the drawn images says more than that of the real ones, since it has their number.
std::string protocol_of(const Side& a, const Side& b) {
  const std::string of_a = note(a, "protocol"), of_b = note(b, "protocol");
  return of_a.size() > of_b.size() ? of_a : of_b;
}

struct Explanation {
  FrechetParts parts;
  std::vector<ClassDistance> classes;
};

struct FidCommand {
  Scoring scoring;
  SharedWork work;
  std::string text_a, text_b;
  std::vector<std::string> names = {"fid"};
  uint32_t seed = 2020;
  bool doctor = false, force = false;
  std::string explain;

  void run() {
    work.run([&](const World& world) { run(world); });
  }

 private:
  void run(const World& world) {
    const auto begin = std::chrono::steady_clock::now();
    scoring.expect_protocol();
    Side a = scoring.open(text_a), b = scoring.open(text_b);
    scoring.check_flags({&a, &b});
    if (doctor) return examine(a, b);
    expect_explainable(a, b);
    scoring.plan(a, &b);
    scoring.plan(b, &a);
    if (!force) expect_same_protocol(a.text, known_protocol(a), b.text, known_protocol(b));
    std::unique_ptr<FeatureNet> net;
    if (a.has_images() || b.has_images()) net = scoring.load_net({&a, &b});
    const Features used = net ? features_of(*net) : features_of_statistics(a, b);
    Keep keep_a, keep_b;
    for (auto name = names.begin(); name != names.end(); ++name) {
      if (std::find(names.begin(), name, *name) != name) fail("--metrics names {} twice", *name);
      const Metric& metric = find(metrics(), *name, "metric").value;
      expect(*name, metric.of_a, metric.fewest, a, net.get());
      expect(*name, metric.of_b, metric.fewest, b, net.get());
      keep_a = keep_a | metric.of_a;
      keep_b = keep_b | metric.of_b;
    }
    keep_a.features |= !explain.empty();
    keep_b.features |= !explain.empty();
    warn_of_few_images(used.dims, {&a, &b});
    if (world.rank() == 0)
      for (const Side* side : {&a, &b}) write_chosen_captions(*side);
    measure(a, net.get(), keep_a, "A: " + a.text, world);
    measure(b, net.get(), keep_b, "B: " + b.text, world);
    if (world.rank() > 0) return;
    std::vector<MetricValue> values;
    for (const std::string& name : names)
      for (MetricValue& value : find(metrics(), name, "metric").value.compute(*a.set, *b.set, seed))
        values.push_back(std::move(value));
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::optional<Explanation> why;
    if (!explain.empty()) why = {frechet_parts(a.set->moments, b.set->moments), class_distances(a, b)};
    print_result(as_fields(values, used, a, b, why, seconds), as_text(values, used, a, b, why));
    if (!explain.empty()) write_pairs(explain, a, b);
  }

  static void examine(const Side& a, const Side& b) {
    const Survey of_a = survey(a, "looking at A"), of_b = survey(b, "looking at B");
    const std::vector<std::string> found = diagnose(a, of_a, b, of_b);
    const std::string summary_a = summary("A", a, of_a), summary_b = summary("B", b, of_b);
    std::string text = visible(summary_a) + "\n" + visible(summary_b);
    for (const std::string& line : found) text += "\n- " + visible(line);
    if (found.empty()) text += "\nnothing found that would spoil a score";
    print_result({{"a", summary_a}, {"b", summary_b}, {"found", found}}, text);
  }

  void expect_explainable(const Side& a, const Side& b) const {
    if (explain.empty()) return;
    for (const Side* side : {&a, &b})
      if (!side->has_images()) fail("--explain shows images, and {} has none", side->text);
    if (lower_extension(explain) != ".png") fail("--explain {}: the picture is a .png file", explain);
    if (fs::exists(explain) && !force) fail("{} exists: give --force to overwrite it", explain);
    expect_writable(fs::path(explain).parent_path());
  }

  // Before any work: whether a side can have what the metric needs.
  static void expect(const std::string& metric, const Keep& needs, int64_t fewest, const Side& side,
                     const FeatureNet* net) {
    if ((needs.features || needs.logits || needs.spatial) && side.count > 0 && side.count < fewest)
      fail("--metrics {} needs {} images, {} has {}", metric, fewest, side.text, side.count);
    if (side.as<StatisticsSide>() && (needs.features || needs.logits || needs.spatial))
      fail(
          "--metrics {} looks at every image, and {} holds a mean and a covariance only: give the images or a .feats "
          "file",
          metric, side.text);
    if (const FeaturesSide* kept = side.as<FeaturesSide>();
        kept &&
        ((needs.logits && !kept->stored.logits.defined()) || (needs.spatial && !kept->stored.spatial.defined())))
      fail("--metrics {} needs {}, which {} does not hold", metric, needs.logits ? "logits" : "spatial features",
           side.text);
    if (side.has_images() && needs.logits && !net->has_logits())
      fail("--metrics {} needs a classifier's logits, which {} has not; use --features inception-fid", metric,
           net->name());
    if (side.has_images() && needs.spatial && !net->has_spatial())
      fail("--metrics {} needs spatial features, which {} has not; use --features inception-fid", metric, net->name());
  }

  std::string as_text(const std::vector<MetricValue>& values, const Features& used, const Side& a, const Side& b,
                      const std::optional<Explanation>& why) const {
    std::string sides = fmt::format("A: {}  B: {}", visible(describe(a)), visible(describe(b)));
    if (const std::string protocol = protocol_of(a, b); !protocol.empty()) sides += "  protocol: " + visible(protocol);
    std::string text;
    for (const MetricValue& value : values)
      text += to_text(value, used, a.set->moments.n > 0 ? a.set->moments.n : b.set->moments.n) +
              (values.size() == 1 ? "   " : "\n");
    text += sides;
    if (!why) return text;
    text += fmt::format("\n{:.4f} of it lies between the means, {:.4f} between the covariances; pairs of images in {}",
                        why->parts.means, why->parts.covariances, visible(explain));
    for (const ClassDistance& one : why->classes)
      text += fmt::format("\n  {:12.4f}  {} ({} and {} images)", one.distance, visible(one.name), one.of_a, one.of_b);
    return text;
  }

  Fields as_fields(const std::vector<MetricValue>& values, const Features& used, const Side& a, const Side& b,
                   const std::optional<Explanation>& why, double seconds) const {
    Fields all = Fields::object();
    for (const MetricValue& value : values) all[key_of(used, value.name)] = to_json(value);
    Fields fields{{"value", values.front().value},
                  {"label", name_in(used, values.front().name)},
                  {"metrics", all},
                  {"features", used.name},
                  {"weights", used.weights},
                  {"resize", used.resize},
                  {"protocol", protocol_of(a, b)},
                  {"a", to_json(a)},
                  {"b", to_json(b)},
                  {"seconds", seconds}};
    if (why) {
      fields["explain"] = {{"means", why->parts.means}, {"covariances", why->parts.covariances}, {"picture", explain}};
      for (const ClassDistance& one : why->classes)
        fields["explain"]["classes"].push_back(
            {{"class", one.name}, {"distance", one.distance}, {"a", one.of_a}, {"b", one.of_b}});
    }
    return fields;
  }
};

}  // namespace

void add_fid_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("fid", "distance between two sets of images, one of them perhaps a model's");
  auto fid = std::make_shared<FidCommand>();
  const std::string forms =
      "folder or archive of images, data SPEC, statistics or images (.npz), features (.feats), run folder or model "
      "file";
  sub->add_option("A", fid->text_a, forms)->required();
  sub->add_option("B", fid->text_b, forms)->required();
  std::string list;
  for (const auto& entry : metrics()) list += fmt::format("\n  {:8} {}", entry.name, entry.summary);
  sub->add_option("--metrics", fid->names, "what to compute, separated by commas; default: fid" + list)
      ->delimiter(',')
      ->check(one_of(metrics()).description(""))
      ->allow_extra_args(false)
      ->take_all();
  sub->add_option("--seed", fid->seed, "of random subsets (fid-inf, kid, is)")
      ->check(number<uint32_t>())
      ->capture_default_str();
  CLI::Option* doctor = sub->add_flag("--doctor", fid->doctor,
                                      "only look for what would spoil the score: sizes, formats, copies, too few");
  sub->add_option(
      "--explain", fid->explain,
      "also tell means from covariances and, where both sides have the same classes, one class from the other, and "
      "write to this PNG the pairs of images that are nearest (copies of training images would be among them) and "
      "farthest");
  sub->add_flag("--force", fid->force, "overwrite the picture of --explain; compare across protocols");
  fid->scoring.add_options(*sub, "as many as of the other side, else its eval.num");
  fid->work.ranks.add_ranks(*sub);
  sub->get_option("--ranks")->excludes(doctor);
  sub->callback([fid] { fid->run(); });
}

}  // namespace uvic
