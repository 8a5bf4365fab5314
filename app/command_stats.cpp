// uvic stats
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/json_lines.h"
#include "app/score_side.h"
#include "app/writable.h"
#include "core/files.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "eval/feats.h"
#include "eval/scoring.h"

namespace uvic {
namespace {

struct StatsCommand {
  Scoring scoring;
  std::string text, out;
  bool force = false;

  void run() {
    const std::string extension = fs::path(out).extension().string();
    if (extension != ".npz" && extension != ".feats")
      fail("--out {}: statistics are an .npz file, the features of every image a .feats file", out);
    if (fs::exists(out) && !force && extension == ".npz") fail("{} exists: give --force to overwrite it", out);
    scoring.fix_by_protocol();
    Side side = scoring.open(text);
    if (side.form == Form::kStatistics) fail("{} holds statistics already", text);
    if (side.form == Form::kFeatures && extension == ".feats") fail("{} holds features already", text);
    scoring.check_flags({&side});
    scoring.plan(side, nullptr);
    std::unique_ptr<FeatureNet> net;
    if (side.has_images()) net = scoring.load_net({&side});
    expect_writable(fs::path(out).parent_path());
    auto notes = net ? notes_of(*net) : side.notes;
    if (net) notes["label"] = net->label();
    if (const std::string protocol = note(side, "protocol"); !protocol.empty()) notes["protocol"] = protocol;
    notes["version"] = "uvic " UVIC_VERSION;
    if (extension == ".npz") {
      measure(side, net.get(), {}, text);
      notes["source"] = describe(side);
      write_gaussian(out, side.set->moments, notes);
    } else {
      notes["source"] = text;
      notes["identity"] = side.images.identity;
      write_features(side, *net, notes);
    }
    if (as_json()) {
      nlohmann::ordered_json json = to_json(side);
      json.update({{"file", out}, {"features", notes["features"]}, {"weights", notes["weights"]}});
      print_json(json);
    } else {
      fmt::print("{}: {} features of {}, {}\n", out, net ? net->dims() : side.dims(), describe(side),
                 notes["features"]);
    }
  }

 private:
  // Goes on behind the images that the file has already, be it that it was interrupted or that more are wanted now.
  // After Ctrl-C what there is is written.
  void write_features(Side& side, const FeatureNet& net, const std::map<std::string, std::string>& notes) const {
    std::vector<Activations> parts;
    int64_t read = 0, rows = 0;  // images looked at; those that could be read
    if (fs::exists(out) && !force) {
      const FeatsFile before = read_feats(out);
      for (const auto& [name, text] : notes)
        if (const auto found = before.notes.find(name);
            name != "version" && (found == before.notes.end() || found->second != text))
          fail("{} exists, with {} '{}' instead of '{}': give --force to overwrite it", out, name,
               found == before.notes.end() ? "" : found->second, text);
      parts.push_back(before.activations);
      rows = before.activations.features.size(0);
      read = rows;
      if (const auto noted = before.notes.find("read"); noted != before.notes.end())
        std::from_chars(noted->second.data(), noted->second.data() + noted->second.size(), read);
      if (read > 0) log_line(fmt::format("{} has {} images already", out, read));
    }
    const auto write = [&] {
      auto all = notes;
      all["read"] = std::to_string(read);
      write_feats(out, {concatenate(parts), all});
    };
    try {
      if (read < side.count)
        run_network(
            net, side.images, read, side.count, text,
            [&](const Activations& batch, auto) {
              parts.push_back(batch);
              rows += batch.features.size(0);
            },
            // Files that cannot be read have no row. A model tells of images before their batch is done.
            [&](int64_t done) { read = side.form == Form::kFiles ? done : rows; });
    } catch (const Interrupted&) {
      read = std::max(read, rows);
      if (rows > 0) write();
      throw;
    }
    read = std::max(read, side.count);
    write();
    FeatureSet set;
    set.moments.n = rows;
    side.set = set;
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
  sub->add_option("-o,--out", stats->out, "FILE.npz or FILE.feats; a .feats file of the same images is gone on with")
      ->required();
  sub->add_flag("--force", stats->force, "overwrite an existing file");
  stats->scoring.add_options(*sub);
  sub->callback([stats] { stats->run(); });
}

}  // namespace uvic
