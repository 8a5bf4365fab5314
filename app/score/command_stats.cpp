// uvic stats
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/cli/seeds.h"
#include "app/score/run_network.h"
#include "app/score/scoring.h"
#include "app/score/shards.h"
#include "app/world/shared_work.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "core/writable.h"
#include "eval/feature_cache.h"
#include "eval/scoring.h"

namespace uvic {
namespace {

// Its extension.
std::string expect_statistics_name(const std::string& out) {
  std::string extension = lower_extension(out);
  if (extension != ".npz" && extension != ".feats")
    fail("--out {}: statistics are an .npz file, the features of every image a .feats file", out);
  return extension;
}

struct StatsCommand {
  Scoring scoring;
  std::string text, out;
  SharedWork work;
  bool force = false;

  void run() {
    work.run([&](const World& world) { run(world); });
  }

 private:
  void run(const World& world) {
    const std::string extension = expect_statistics_name(out);
    if (fs::exists(out) && !force && extension == ".npz") fail("{} exists: give --force to overwrite it", out);
    scoring.expect_protocol();
    Side side = scoring.open(text);
    if (side.as<StatisticsSide>()) fail("{} holds statistics already", text);
    if (side.as<FeaturesSide>() && extension == ".feats") fail("{} holds features already", text);
    const std::optional<Share> share = parse_share(work.shard);
    if (share && !side.has_images()) fail("--shard {} does not apply: {} holds features already", work.shard, text);
    scoring.check_flags({&side});
    scoring.plan(side, nullptr);
    std::unique_ptr<FeatureNet> net;
    if (side.has_images()) net = scoring.load_net({&side});
    expect_writable(fs::path(out).parent_path());
    auto notes = net ? notes_of(*net) : side.notes;
    notes.erase("unfinished");
    if (const std::string protocol = note(side, "protocol"); !protocol.empty()) notes["protocol"] = protocol;
    notes["version"] = "uvic " UVIC_VERSION;
    if (world.size() > 1 && extension == ".feats") return write_features_together(world, side, *net, notes);
    if (share && world.size() == 1) return run_shard(side, *net, *share, notes);
    if (extension == ".npz") {
      measure(side, net.get(), {}, text, world);
      if (world.rank() > 0) return;
      notes["source"] = describe(side);
      write_gaussian(out, side.set->moments, notes);
    } else {
      notes["source"] = valid_utf8(text);  // names of files can be anything, notes of a .feats file cannot
      FeatureSet set;
      set.moments.n = write_features(out, side, *net, {0, side.count}, notes);
      side.set = set;
    }
    Fields fields = to_json(side);
    fields.update({{"file", out}, {"features", notes["features"]}, {"weights", notes["weights"]}});
    print_result(fields, fmt::format("{}: {} features of {}, {}", visible(out), net ? net->dims() : side.dims(),
                                     visible(describe(side)), visible(notes["features"])));
  }

  // Each rank writes a shard beside the file, of which a command that was stopped keeps what there is; rank 0 makes the
  // file of them.
  void write_features_together(const World& world, const Side& side, const FeatureNet& net,
                               const std::map<std::string, std::string>& notes) const {
    std::vector<std::string> shards;
    for (int64_t rank = 0; rank < world.size(); ++rank)
      shards.push_back(fs::path(out).replace_extension(fmt::format(".rank-{}-of-{}.feats", rank, world.size())));
    write_shard(shards[world.rank()], side, net, world.share(), notes);
    world.barrier(kPatience);
    if (world.rank() > 0) return;
    const Merged merged = merge_shards(shards, out);
    for (const std::string& shard : shards) fs::remove(shard);
    print_result({{"file", out},
                  {"source", text},
                  {"images", merged.images},
                  {"features", merged.notes.at("features")},
                  {"weights", merged.notes.at("weights")}},
                 fmt::format("{}: {} features of {} images of {}, {}", visible(out), merged.dims, merged.images,
                             visible(text), visible(merged.notes.at("features"))));
  }

  // How many images it has.
  int64_t write_shard(const std::string& file, const Side& side, const FeatureNet& net, const Share& share,
                      std::map<std::string, std::string> notes) const {
    const bool is_feats = lower_extension(file) == ".feats";
    notes.merge(notes_of_shard(side, share));
    notes["source"] = is_feats ? valid_utf8(text) : text;
    return is_feats ? write_features(file, side, net, part_of(*side.images, side.count, share), notes, /*fewest=*/0)
                    : write_statistics_shard(file, side, net, share, notes);
  }

  void run_shard(const Side& side, const FeatureNet& net, const Share& share,
                 std::map<std::string, std::string> notes) const {
    const int64_t images = write_shard(out, side, net, share, notes);
    print_result({{"file", out},
                  {"shard", share.text()},
                  {"source", text},
                  {"images", images},
                  {"features", notes["features"]},
                  {"weights", notes["weights"]}},
                 fmt::format("{}: shard {}, {} of the {} images of {}, for `uvic stats merge`", visible(out),
                             share.text(), images, side.count, visible(text)));
  }

  // Reads no further than to the first of the images that the cache has.
  static bool has_any(const FeatureCache& cache, const Side& side, const Stretch& part) {
    bool found = false;
    const auto reader = side.images->open(side.count, part);
    while (!found && reader->next([&](int64_t, std::string_view content) {
      found = found || cache.has(content);
      return false;
    })) {
    }
    return found;
  }

  // Computes what the file has not yet of a part of the images, be it that it was interrupted or that there are more or
  // other images now. After Ctrl-C what there is is written.
  int64_t write_features(const std::string& file, const Side& side, const FeatureNet& net, const Stretch& part,
                         const std::map<std::string, std::string>& notes, int64_t fewest = 2) const {
    FeatureCache cache(file, notes, part.size(), force);
    if (cache.rows() > 0 && !has_any(cache, side, part))
      fail("{} exists, with features of other images than {}: give --force to overwrite it", file, text);
    try {
      run_network(
          network_of(net), *side.images, side.count, part, text,
          [&](const Activations& batch, std::span<const int64_t> indices) {
            cache.add(batch, indices);
            cache.save_now_and_then();
          },
          [&](int64_t index, std::string_view content) { return cache.needs(index, content); }, fewest);
    } catch (const Interrupted&) {
      cache.save();
      throw;
    }
    return cache.finish();
  }
};

struct MergeCommand {
  std::vector<std::string> shards;
  std::string out;
  bool force = false;

  void run() const {
    expect_statistics_name(out);
    if (fs::exists(out) && !force) fail("{} exists: give --force to overwrite it", out);
    expect_writable(fs::path(out).parent_path());
    Merged merged = merge_shards(shards, out);
    print_result({{"file", out},
                  {"source", merged.notes["source"]},
                  {"images", merged.images},
                  {"features", merged.notes["features"]},
                  {"weights", merged.notes["weights"]}},
                 fmt::format("{}: {} features of {}, {} images, {}", visible(out), merged.dims,
                             visible(merged.notes["source"]), merged.images, visible(merged.notes["features"])));
  }
};

}  // namespace

void add_stats_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand(
      "stats", "keep statistics (.npz, also for pytorch-fid) or the features of every image (.feats), for fid");
  auto stats = std::make_shared<StatsCommand>();
  sub->add_option("SOURCE", stats->text,
                  "folder or archive of images, data SPEC, images (.npz), run folder or model file; or `merge`");
  CLI::Option* out =
      sub->add_option("-o,--out", stats->out, "FILE.npz or FILE.feats; of a .feats file what it has already is kept")
          ->required();
  stats->work.add_options(*sub,
                          "compute only share I of N (0/N to N-1/N), in a process of its own; `uvic stats merge` puts "
                          "them together");
  sub->add_flag("--force", stats->force, "overwrite an existing file");
  stats->scoring.add_options(*sub, "its eval.num");

  CLI::App* merging = sub->add_subcommand("merge", "make one file of what all the shards of a command wrote");
  auto merge = std::make_shared<MergeCommand>();
  merging->add_option("SHARD", merge->shards, "the files, in any order")->required();
  merging->add_option("-o,--out", merge->out, "FILE.npz or FILE.feats, as the shards are")->required();
  merging->add_flag("--force", merge->force, "overwrite an existing file");
  merging->preparse_callback([out](size_t) { out->required(false); });  // it has its own
  merging->callback([merge] { merge->run(); });
  sub->callback([stats, sub] {
    if (!sub->get_subcommands().empty()) return;
    if (stats->text.empty()) throw CLI::RequiredError("SOURCE");  // CLI11 would take `merge` for one that is required
    stats->run();
  });
}

}  // namespace uvic
