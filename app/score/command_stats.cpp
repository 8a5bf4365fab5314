// uvic stats
#include <memory>

#include "app/cli/results.h"
#include "app/score/scoring.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "core/writable.h"
#include "eval/feature_cache.h"
#include "eval/scoring.h"

namespace uvic {
namespace {

struct StatsCommand {
  Scoring scoring;
  std::string text, out;
  bool force = false;

  void run() {
    const std::string extension = lower_extension(out);
    if (extension != ".npz" && extension != ".feats")
      fail("--out {}: statistics are an .npz file, the features of every image a .feats file", out);
    if (fs::exists(out) && !force && extension == ".npz") fail("{} exists: give --force to overwrite it", out);
    scoring.expect_protocol();
    Side side = scoring.open(text);
    if (side.as<StatisticsSide>()) fail("{} holds statistics already", text);
    if (side.as<FeaturesSide>() && extension == ".feats") fail("{} holds features already", text);
    scoring.check_flags({&side});
    scoring.plan(side, nullptr);
    std::unique_ptr<FeatureNet> net;
    if (side.has_images()) net = scoring.load_net({&side});
    expect_writable(fs::path(out).parent_path());
    auto notes = net ? notes_of(*net) : side.notes;
    notes.erase("unfinished");
    if (const std::string protocol = note(side, "protocol"); !protocol.empty()) notes["protocol"] = protocol;
    notes["version"] = "uvic " UVIC_VERSION;
    if (extension == ".npz") {
      measure(side, net.get(), {}, text);
      notes["source"] = describe(side);
      write_gaussian(out, side.set->moments, notes);
    } else {
      notes["source"] = valid_utf8(text);  // names of files can be anything, notes of a .feats file cannot
      FeatureSet set;
      set.moments.n = write_features(side, *net, notes);
      side.set = set;
    }
    Fields fields = to_json(side);
    fields.update({{"file", out}, {"features", notes["features"]}, {"weights", notes["weights"]}});
    print_result(fields, fmt::format("{}: {} features of {}, {}", visible(out), net ? net->dims() : side.dims(),
                                     visible(describe(side)), visible(notes["features"])));
  }

 private:
  // Reads no further than to the first of the images that the cache has.
  static bool has_any(const FeatureCache& cache, const Side& side) {
    bool found = false;
    const auto reader = side.images->open(side.count);
    while (!found && reader->next([&](int64_t, std::string_view content) {
      found = found || cache.has(content);
      return false;
    })) {
    }
    return found;
  }

  // Computes what the file has not yet, be it that it was interrupted or that there are more or other images now. After
  // Ctrl-C what there is is written.
  int64_t write_features(Side& side, const FeatureNet& net, const std::map<std::string, std::string>& notes) const {
    FeatureCache cache(out, notes, side.count, force);
    if (cache.rows() > 0 && !has_any(cache, side))
      fail("{} exists, with features of other images than {}: give --force to overwrite it", out, text);
    try {
      run_network(
          network_of(net), *side.images, side.count, text,
          [&](const Activations& batch, std::span<const int64_t> indices) {
            cache.add(batch, indices);
            cache.save_now_and_then();
          },
          [&](int64_t index, std::string_view content) { return cache.needs(index, content); });
    } catch (const Interrupted&) {
      cache.save();
      throw;
    }
    return cache.finish();
  }
};

}  // namespace

void add_stats_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand(
      "stats", "keep statistics (.npz, also for pytorch-fid) or the features of every image (.feats), for fid");
  auto stats = std::make_shared<StatsCommand>();
  sub->add_option("SOURCE", stats->text,
                  "folder or archive of images, data SPEC, images (.npz), run folder or model file")
      ->required();
  sub->add_option("-o,--out", stats->out, "FILE.npz or FILE.feats; of a .feats file what it has already is kept")
      ->required();
  sub->add_flag("--force", stats->force, "overwrite an existing file");
  stats->scoring.add_options(*sub, "its eval.num");
  sub->callback([stats] { stats->run(); });
}

}  // namespace uvic
