// uvic bench
#include <nlohmann/json.hpp>

#include "app/bench/step_bench.h"
#include "app/bench/text_bench.h"
#include "app/cli/checks.h"
#include "app/cli/lm_options.h"
#include "app/cli/options.h"
#include "app/model/model.h"
#include "bench/attention_bench.h"
#include "core/error.h"
#include "core/precision.h"
#include "core/progress.h"
#include "transformer/attention.h"

namespace uvic {
namespace {

using Row = nlohmann::ordered_json;

// Rows as they come: a JSON object a line, or a table under the keys of the first one.
class Table {
 public:
  void add(const Row& row) {
    if (verbosity().json) {
      fmt::print("{}\n", row.dump());
    } else {
      if (!headed_)
        for (const auto& [key, value] : row.items()) fmt::print("{:>{}} ", key, width(key, value));
      if (!headed_) fmt::print("\n");
      headed_ = true;
      for (const auto& [key, value] : row.items()) {
        const std::string text = value.is_number_float()
                                     ? fmt::format("{:.{}f}", value.get<double>(), value > 99.5 ? 0 : 2)
                                 : value.is_string() ? value.get<std::string>()
                                                     : value.dump();
        fmt::print("{:>{}} ", text, width(key, value));
      }
      fmt::print("\n");
    }
    std::fflush(stdout);
  }

 private:
  static size_t width(const std::string& key, const Row& value) {
    return std::max(key.size(), value.is_string() ? size_t{9} : value.is_number_float() ? size_t{7} : size_t{4});
  }
  bool headed_ = false;
};

struct BenchCommand {
  std::vector<std::string> dtypes{"fp32", "bf16"};
  int64_t rounds = 10;

  void add_options(CLI::App& app) {
    app.add_option("--precision", dtypes, "which of fp32 and bf16")
        ->delimiter(',')
        ->check(CLI::IsMember({"fp32", "bf16"}))
        ->capture_default_str();
    app.add_option("--rounds", rounds, "measurements of each; they take turns, the table shows minimum and median")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
  }
};

struct AttentionCommand : BenchCommand {
  std::vector<std::string> shapes{"32,8,257,64"}, passes{"fwd", "fwd+bwd"};
  std::string device = "cpu";
  int64_t visible = 0;

  static AttentionShape parse(const std::string& text) {
    AttentionShape shape{};
    int end = 0;
    const int read = std::sscanf(text.c_str(), "%ld,%ld,%ld,%ld%n", &shape.batch, &shape.heads, &shape.length,
                                 &shape.head_dim, &end);
    const bool positive = std::min({shape.batch, shape.heads, shape.length, shape.head_dim}) > 0;
    if (read != 4 || static_cast<size_t>(end) != text.size() || !positive)
      fail("'{}': expected B,H,L,D, four positive numbers", text);
    return shape;
  }

  void run() const {
    const at::Device where = parse_device(device);
    std::optional<Peak> peak;
    if (where.is_cpu()) {
      peak = measure_peak();
      log_line(fmt::format("{}, {} threads, {:.0f} GFLOP/s of multiply-adds (fp32)", peak->isa, peak->threads,
                           peak->gflops));
    }
    Table table;
    for (const std::string& shape : shapes)
      for (const std::string& dtype : dtypes)
        for (const std::string& pass : passes)
          for (const AttentionTiming& t : bench_attention(parse(shape), find(precisions(), dtype, "precision").value,
                                                          pass == "fwd+bwd", visible, where, rounds)) {
            Row row{{"bench", "attention"},  {"kind", t.kind},     {"impl", t.impl},           {"pass", t.pass},
                    {"dtype", t.dtype},      {"B", t.shape.batch}, {"H", t.shape.heads},       {"L", t.shape.length},
                    {"D", t.shape.head_dim}, {"ms", t.min_ms},     {"median_ms", t.median_ms}, {"gflops", t.gflops}};
            if (peak) row["of_peak"] = t.gflops / peak->gflops;
            row["vs_sdpa"] = t.vs_sdpa;
            row["vs_eager"] = t.vs_eager;
            row["vs_fused"] = t.vs_fused;
            table.add(row);
          }
  }
};

// A row for each operation that takes some of the time, begun by what was measured.
void add_times(Table& table, const std::vector<OperationTime>& times, const Row& measured) {
  constexpr double kLeastShare = 0.005;
  double all = 0;
  for (const OperationTime& t : times) all += t.seconds;
  for (const OperationTime& t : times) {
    if (t.seconds < kLeastShare * all) continue;
    Row row = measured;
    row.update({{"ms", 1e3 * t.seconds}, {"share", t.seconds / all}, {"calls", t.calls}, {"operation", t.name}});
    table.add(row);
  }
}

struct StepCommand : BenchCommand {
  RunConfig config;
  std::unique_ptr<RunOptions> options;
  std::vector<std::string> attention = names_in(attention_kinds()), memory{"none"}, kernels{"fused", "reference"};
  int64_t images = 16;
  SamplerConfig sampler{.kind = "dpm-solver++2m", .steps = 50};
  bool drawing, profiling = false;

  explicit StepCommand(bool drawing) : drawing(drawing) { rounds = 3; }

  void run() const {
    std::vector<StepVariant> variants;
    for (const std::string& dtype : dtypes)
      for (const std::string& kind : attention)
        for (const std::string& of_patches : memory)
          for (const std::string& kernel : kernels) variants.push_back({kind, of_patches, kernel, dtype});
    const UVitConfig model = resolve(config.model);
    Table table;
    if (profiling) {
      for (const StepVariant& variant : variants) add_profile(table, model, variant);
      return;
    }
    for (const StepTiming& t : drawing ? bench_sampling(model, variants, images, sampler, rounds)
                                       : bench_training(model, variants, images, rounds))
      table.add({{"bench", drawing ? "sample" : "train"},
                 {"model", fmt::format("{}/{}", model.size, model.patch)},
                 {"attention", t.attention},
                 {"memory", t.memory},
                 {"kernels", t.kernels},
                 {"dtype", t.precision},
                 {"images", images},
                 {"ms", t.min_ms},
                 {"median_ms", t.median_ms},
                 {"images_per_s", 1e3 * static_cast<double>(images) / t.min_ms},
                 {"gflops", t.gflops},
                 {"peak_mib", t.peak_mib}});
  }

  void add_profile(Table& table, const UVitConfig& model, const StepVariant& variant) const {
    add_times(table, profile_training(model, variant, images),
              {{"bench", "profile"},
               {"model", fmt::format("{}/{}", model.size, model.patch)},
               {"attention", variant.attention},
               {"memory", variant.memory},
               {"kernels", variant.kernels},
               {"dtype", variant.precision},
               {"images", images}});
  }
};

struct TextCommand : BenchCommand {
  LmRunConfig config;
  std::unique_ptr<LmOptions> options;
  std::vector<std::string> work{"train", "write"};
  TextShape rows;
  WritingShape text;
  bool profiling = false;

  TextCommand() {
    dtypes = {"fp32"};
    rounds = 3;
  }

  void add_options(CLI::App& app) {
    app.add_option("--work", work, "which of train, a training step, and write, the likeliest tokens one by one")
        ->delimiter(',')
        ->check(CLI::IsMember({"train", "write"}))
        ->capture_default_str();
    const auto add_count = [&](const char* name, int64_t& value, const char* help) {
      app.add_option(name, value, help)->check(CLI::Range(1, 1 << 20))->capture_default_str();
    };
    add_count("--batch", rows.batch, "rows at once in training");
    add_count("--length", rows.length, "tokens of a row");
    add_count("--document", rows.document, "tokens of a document: one sees its own alone");
    add_count("--prompt", text.prompt, "tokens that are there when writing begins");
    add_count("--tokens", text.tokens, "tokens to write");
    app.add_flag("--profile", profiling, "where the time goes, by operation, instead");
    BenchCommand::add_options(app);
    options = std::make_unique<LmOptions>(app, config, LmOptions::kModelOnly);
  }

  void run() const {
    Table table;
    const bool trains = std::ranges::count(work, "train") > 0, writes = std::ranges::count(work, "write") > 0;
    for (const std::string& dtype : dtypes) {
      if (trains && profiling)
        add_times(table, profile_text_training(config.lm, dtype, rows), measured("lm profile", dtype));
      else if (trains)
        add(table, "lm train", dtype, bench_text_training(config.lm, dtype, rows, rounds));
    }
    if (writes && profiling)
      add_times(table, profile_writing(config.lm, text), measured("lm profile", "fp32"));
    else if (writes)
      add(table, "lm write", "fp32", bench_writing(config.lm, text, rounds));
  }

  void add(Table& table, const char* bench, const std::string& dtype, const TextTiming& t) const {
    Row row = measured(bench, dtype);
    row.update(
        {{"ms", t.min_ms}, {"median_ms", t.median_ms}, {"tokens_per_s", t.tokens_per_s}, {"peak_mib", t.peak_mib}});
    table.add(row);
  }

  Row measured(const char* bench, const std::string& dtype) const {
    return {{"bench", bench}, {"model", config.lm.size}, {"attention", config.lm.attention}, {"dtype", dtype}};
  }
};

template <class Command>
void finish(CLI::App* sub, const std::shared_ptr<Command>& command) {
  command->add_options(*sub);
  sub->callback([command] { command->run(); });
}

std::shared_ptr<StepCommand> add_step_command(CLI::App& app, const char* name, const char* help, bool drawing) {
  CLI::App* sub = app.add_subcommand(name, help);
  auto command = std::make_shared<StepCommand>(drawing);
  sub->add_option("--images,--batch", command->images, "images at once")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  sub->add_option("--attention", command->attention, "kinds to compare")
      ->delimiter(',')
      ->check(one_of(attention_kinds()))
      ->capture_default_str();
  sub->add_option("--memory", command->memory, "of patches, to compare")
      ->delimiter(',')
      ->check(one_of(patch_memories()))
      ->capture_default_str();
  sub->add_option("--kernels", command->kernels, "to compare")
      ->delimiter(',')
      ->check(one_of(kernel_kinds()))
      ->capture_default_str();
  if (drawing)
    sub->add_option("--steps", command->sampler.steps, "network calls per image")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
  else
    sub->add_flag("--profile", command->profiling, "where the time of one step goes, by operation, instead");
  command->options = std::make_unique<RunOptions>(*sub, command->config, RunOptions::kModelOnly);
  finish(sub, command);
  return command;
}

}  // namespace

void add_bench_command(CLI::App& app) {
  CLI::App* bench = app.add_subcommand("bench", "how fast attention, training and drawing are on this machine");
  bench->require_subcommand(1);
  CLI::App* sub = bench->add_subcommand(
      "attention", "our kernels, LibTorch's scaled_dot_product_attention and plain operations on one input");
  auto attention = std::make_shared<AttentionCommand>();
  sub->add_option("--shape", attention->shapes, "B,H,L,D: batch, heads, tokens, width of a head; may be repeated")
      ->delimiter(';')
      ->check(taken_by(AttentionCommand::parse))
      ->capture_default_str();
  sub->add_option("--pass", attention->passes, "which of fwd and fwd+bwd")
      ->delimiter(',')
      ->check(CLI::IsMember({"fwd", "fwd+bwd"}))
      ->capture_default_str();
  sub->add_option("--visible", attention->visible,
                  "also time our kernels where each query sees only so many keys around it (window); 0: not")
      ->check(CLI::Range(0, 1 << 24))
      ->capture_default_str();
  sub->add_option("--device", attention->device, "cpu, cuda or cuda:N")->check(device_name())->capture_default_str();
  finish(sub, attention);
  add_step_command(*bench, "train", "a training step of a model (default U-ViT-S/2 on 32 x 32), random images", false);
  add_step_command(*bench, "sample", "images from noise, random weights", true);
  finish(bench->add_subcommand("lm", "a language model's training step and its writing, random weights and tokens"),
         std::make_shared<TextCommand>());
}

}  // namespace uvic
