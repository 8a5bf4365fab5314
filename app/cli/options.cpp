#include "app/cli/options.h"

#include <algorithm>

#include "app/cli/setting_flags.h"
#include "core/error.h"
#include "eval/features.h"
#include "transformer/attention.h"

namespace uvic {
namespace {

// The keys that a run keeps, since its weights or its optimizer's state would mean something else; classes and
// vocabulary are the data's and compared with those, the weights it began with are compared by their hash.
bool is_fixed(std::string_view section, std::string_view key) {
  const auto one_of = [key](std::initializer_list<std::string_view> keys) { return std::ranges::count(keys, key) > 0; };
  if (section == "model") return !one_of({"classes", "vocabulary", "kernels", "checkpointing"});
  if (section == "schedule") return true;
  if (section == "objective") return one_of({"prediction"});
  if (section == "data") return one_of({"condition", "latent_scale"});
  if (section == "init") return one_of({"allow"});
  if (section == "lora") return true;
  if (section == "train") return one_of({"optimizer"});
  return false;
}

// "" stands for "chosen by default", which no row of the table is called.
CLI::Validator empty_or_one_of(std::span<const Entry<LoadFeatureNet>> table) {
  CLI::Validator check = one_of(table);
  return {[check](std::string& value) { return value.empty() ? std::string() : check(value); }, names(table)};
}

}  // namespace

RunOptions::RunOptions(CLI::App& app, RunConfig& config, Scope scope) : ConfigOptions(app, is_fixed) {
  add_model(config.model);
  if (scope == kModelOnly) hide_others();
  add_diffusion(config.schedule, config.objective);
  add_data(config.data);
  add_init(config.init, config.lora);
  add_train(config.train, "images");
  add_sample(config.sample);
  add_eval(config.eval);
  add_output(config.output);
}

void RunOptions::add_model(UVitConfig& c) {
  add("--model.size", c.size, "gives depth, dim and heads where those are 0")->check(one_of(uvit_sizes()));
  add("--model.depth", c.depth, "blocks beside the middle one")->check(at_least(0));
  add("--model.dim", c.dim, "width of a token")->check(at_least(0));
  add("--model.heads", c.heads, "attention heads")->check(at_least(0));
  add("--model.image_size", c.image_size, "height and width of an image")->check(at_least(1));
  add("--model.patch", c.patch, "height and width of a patch")->check(at_least(1));
  add("--model.channels", c.channels, "channels of an image")->check(at_least(1));
  add("--model.mlp_ratio", c.mlp_ratio, "hidden width of the MLP by token width")->check(at_least(0));
  add("--model.qkv_bias", c.qkv_bias, "bias of the query, key and value projection");
  add("--model.mlp_time_embed", c.mlp_time_embed, "two-layer network on the time embedding");
  add("--model.conv", c.conv, "final 3x3 convolution");
  add("--model.skip", c.skip, "long skip connections");
  add("--model.classes", c.classes, "number of classes (set by data.condition class)")->check(at_least(0));
  add("--model.context_tokens", c.context_tokens, "text tokens (data.condition text)")->check(at_least(0));
  add("--model.context_dim", c.context_dim, "width of a text state; 0: model.dim")->check(at_least(0));
  add("--model.vocabulary", c.vocabulary, "words of the learned text embedding (set by data.condition text)")
      ->check(at_least(0));
  add("--model.attention", c.attention, "attention of every block but the first and the last")
      ->check(one_of(attention_kinds()));
  add("--model.end_attention", c.end_attention, "attention of the first and the last block")
      ->check(one_of(attention_kinds()));
  add("--model.memory", c.memory, "what patches see: all patches, a window of blocks, or that and a feedback memory")
      ->check(one_of(patch_memories()));
  add("--model.block", c.block, "patches of a block of memory, in raster order")->check(at_least(1));
  add("--model.segments", c.segments, "blocks beside its own that a patch sees")->check(at_least(0));
  add("--model.window", c.window, "where these are: before its own, or as many behind it, too")
      ->check(one_of(block_windows()));
  add("--model.fam_length", c.fam_length, "vectors of the feedback memory (model.memory fam)")->check(at_least(1));
  add("--model.kernels", c.kernels, "how blocks are computed")->check(one_of(kernel_kinds()));
  add("--model.checkpointing", c.checkpointing, "recompute activations: less memory, about 1/3 more time");
}

void RunOptions::add_diffusion(ScheduleConfig& schedule, ObjectiveConfig& objective) {
  add("--schedule.kind", schedule.kind, "noise schedule")->check(one_of(schedule_kinds()));
  add("--schedule.beta_start", schedule.beta_start, "0: the kind's own")->check(at_least(0));
  add("--schedule.beta_end", schedule.beta_end, "0: the kind's own")->check(at_least(0));
  add("--objective.prediction", objective.prediction, "what the network predicts")->check(one_of(prediction_kinds()));
  add("--objective.weighting", objective.weighting, "loss weighting over time")->check(one_of(weighting_kinds()));
  add("--objective.snr_gamma", objective.snr_gamma, "cap of min-snr and min-snr-v")->check(at_least(0));
}

void RunOptions::add_data(DataConfig& c) {
  add("--data,--data.spec", c.spec, "data SPEC, see `uvic data list`");
  add("--data.condition", c.condition, "what images are drawn from")->check(CLI::IsMember({"none", "class", "text"}));
  add("--data.drop_condition", c.drop_condition, "share of samples trained without their condition, for guidance")
      ->check(between(0, 1));
  add("--data.flip", c.flip, "random horizontal flips");
  add("--data.max_vocabulary", c.max_vocabulary, "most words of a learned text embedding")->check(at_least(3));
  add("--data.text_encoder", c.text_encoder,
      "frozen CLIP or BERT that reads captions: a folder, or all-MiniLM-L6-v2; empty: words are learned");
  add("--data.latent_scale", c.latent_scale, "factor of an autoencoder's latents; 0: pixels")->check(at_least(0));
}

void RunOptions::add_sample(SampleConfig& c) {
  SampleConfig::visit([&](const Setting& setting, auto field) {
    if (!setting.in_config) return;
    auto& value = field(c);
    CLI::Option* option = add(fmt::format("--sample.{}", setting.key), value, std::string(setting.help));
    if constexpr (!std::is_same_v<std::remove_reference_t<decltype(value)>, bool>) option->check(allowed(setting));
  });
}

void RunOptions::add_eval(EvalConfig& c) {
  add("--eval.every", c.every, "steps between scores; 0: never")->check(at_least(0));
  add("--eval.num", c.num, "images per score")->check(at_least(2));
  add("--eval.features", c.features,
      "feature network; empty: inception-fid if its weights are there, else efficientnet-lite0")
      ->check(empty_or_one_of(feature_nets()));
  add("--eval.against", c.against, "data SPEC to compare with; empty: the training data");
}

void RunOptions::add_output(OutputConfig& c) {
  add_record(c, "sample grids");
  add("--output.grid", c.grid, "rows and columns of a sample grid")->check(between(1, 32));
  add("--output.autoencoder", c.autoencoder,
      "decodes the sample grids of a model of latents; without it there are none");
  add("--output.prompts", c.prompts, "file of the grids' prompts, one a line; empty: captions of the data");
  add("--output.text", c.text, "text encoder (folder) that reads output.prompts for a model of text states");
}

}  // namespace uvic
