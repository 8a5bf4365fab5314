#include "app/cli/options.h"

#include <algorithm>

#include "app/cli/checks.h"
#include "app/cli/setting_flags.h"
#include "app/cli/toml.h"
#include "core/error.h"
#include "core/precision.h"
#include "eval/features.h"
#include "transformer/attention.h"

namespace uvic {
namespace {

std::string to_text(const std::string& value) {
  return toml_string(value);
}
std::string to_text(bool value) {
  return value ? "true" : "false";
}
std::string to_text(double value) {
  return fmt::format("{}", value);
}
std::string to_text(int64_t value) {
  return fmt::format("{}", value);
}
std::string to_text(uint64_t value) {
  return fmt::format("{}", value);
}
std::string to_text(int value) {
  return fmt::format("{}", value);
}

// The keys that a run keeps, since its weights or its optimizer's state would mean something else; classes and
// vocabulary are the data's and compared with those.
bool is_fixed(std::string_view section, std::string_view key) {
  const auto one_of = [key](std::initializer_list<std::string_view> keys) { return std::ranges::count(keys, key) > 0; };
  if (section == "model") return !one_of({"classes", "vocabulary", "kernels", "checkpointing"});
  if (section == "schedule") return true;
  if (section == "objective") return one_of({"prediction"});
  if (section == "data") return one_of({"condition", "latent_scale"});
  if (section == "train") return one_of({"optimizer"});
  return false;
}

// "" stands for "chosen by default", which no row of the table is called.
CLI::Validator empty_or_one_of(std::span<const Entry<LoadFeatureNet>> table) {
  CLI::Validator check = one_of(table);
  return {[check](std::string& value) { return value.empty() ? std::string() : check(value); }, names(table)};
}

}  // namespace

template <class T>
CLI::Option* RunOptions::add(const std::string& name, T& value, const std::string& help) {
  const std::string dotted = name.substr(name.find_last_of('-') + 1);
  const size_t dot = dotted.find('.');
  const std::string section = dotted.substr(0, dot), key = dotted.substr(dot + 1);
  CLI::Option* option;
  if constexpr (std::is_same_v<T, bool>)
    option = app_->add_option(name, value, help)->type_name("BOOL")->default_str(to_text(value));
  else
    option = app_->add_option(name, value, help)->capture_default_str();
  option->check(value_of<T>())->group(section)->take_last();
  options_.push_back({option, section, key, [&value] { return to_text(value); }});
  return option;
}

RunOptions::RunOptions(CLI::App& app, RunConfig& config, Scope scope) : app_(&app) {
  add_model(config.model);
  if (scope == kModelOnly) app_ = &hidden_;
  add_diffusion(config.schedule, config.objective);
  add_data(config.data);
  add_train(config.train);
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

void RunOptions::add_train(TrainConfig& c) {
  add("--steps,--train.steps", c.steps, "optimizer steps")->check(at_least(1));
  add("--batch,--train.batch", c.batch, "images per micro-batch")->check(at_least(1));
  add("--train.accumulate", c.accumulate, "micro-batches per step")->check(at_least(1));
  add("--seed,--train.seed", c.seed, "of initial weights, data order, noise");
  add("--lr,--train.lr", c.lr, "learning rate")->check(at_least(0));
  add("--train.warmup", c.warmup, "steps of linear warm-up")->check(at_least(0));
  add("--train.lr_decay", c.lr_decay, "after the warm-up")->check(one_of(lr_decays()));
  add("--train.optimizer", c.optimizer, "of the weights")->check(one_of(optimizers()));
  add("--train.clip", c.clip, "largest gradient norm; 0: no clipping")->check(at_least(0));
  add("--train.precision", c.precision, "of matrix products")->check(one_of(precisions()));
  add("--train.beta1", c.adamw.beta1, "AdamW")->check(between(0, 1));
  add("--train.beta2", c.adamw.beta2, "AdamW")->check(between(0, 1));
  add("--train.eps", c.adamw.eps, "AdamW")->check(at_least(0));
  add("--train.weight_decay", c.adamw.weight_decay, "of every parameter")->check(at_least(0));
  add("--train.ema", c.ema.rate, "share of the average that a step keeps")->check(between(0, 1));
  add("--train.ema_warmup", c.ema.warmup, "lower share in the first steps");
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
  add("--name,--output.name", c.name, "of the run folder, behind its number");
  add("--output.log_every", c.log_every, "steps between rows of the logs")->check(at_least(1));
  add("--output.save_every", c.save_every, "steps between checkpoints")->check(at_least(1));
  add("--output.keep_last", c.keep_last, "checkpoints kept beside the best one")->check(at_least(1));
  add("--output.sample_every", c.sample_every, "steps between sample grids; 0: none")->check(at_least(0));
  add("--output.grid", c.grid, "rows and columns of a sample grid")->check(between(1, 32));
  add("--output.autoencoder", c.autoencoder,
      "decodes the sample grids of a model of latents; without it there are none");
  add("--output.prompts", c.prompts, "file of the grids' prompts, one a line; empty: captions of the data");
  add("--output.text", c.text, "text encoder (folder) that reads output.prompts for a model of text states");
}

void RunOptions::apply_toml(const std::string& text, const std::string& origin) {
  for (const TomlItem& item : parse_toml(text, origin)) {
    const auto known = std::find_if(options_.begin(), options_.end(), [&](const Option& option) {
      return option.section == item.section && option.key == item.key;
    });
    if (known == options_.end()) fail("{}, line {}: {}", origin, item.line, unknown_key(item.section, item.key));
    if (known->option->count() > 0) continue;
    try {
      known->option->add_result(item.value);
      known->option->run_callback();
    } catch (const CLI::Error& error) {
      // CLI11 puts the name of the option in front.
      const std::string what = error.what(), name = known->option->get_name() + ": ";
      known->option->clear();  // a later text may give a good value
      fail("{}, line {}: {}.{}: {}", origin, item.line, item.section, item.key,
           what.starts_with(name) ? what.substr(name.size()) : what);
    }
  }
}

std::string RunOptions::unknown_key(const std::string& section, const std::string& key) const {
  std::string keys, sections, elsewhere;
  for (const Option& option : options_) {
    if (option.section == section) keys += (keys.empty() ? "" : ", ") + option.key;
    if (option.key == key) elsewhere += fmt::format("{}[{}]", elsewhere.empty() ? "" : " or ", option.section);
    if (!sections.ends_with(option.section)) sections += (sections.empty() ? "" : ", ") + option.section;
  }
  if (!elsewhere.empty()) return fmt::format("[{}] has no key '{}', it belongs in {}", section, key, elsewhere);
  if (keys.empty()) return fmt::format("no section [{}] (for key '{}'): expected one of {}", section, key, sections);
  return fmt::format("unknown key '{}' in [{}]: expected one of {}", key, section, keys);
}

std::string RunOptions::to_toml() const {
  std::string text, section;
  for (const Option& option : options_) {
    if (option.section != section) text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", option.section);
    section = option.section;
    text += fmt::format("{} = {}\n", option.key, option.print());
  }
  return text;
}

std::vector<std::string> RunOptions::missing_keys(const std::string& text, const std::string& origin) const {
  const std::vector<TomlItem> items = parse_toml(text, origin);
  std::vector<std::string> missing;
  for (const Option& option : options_) {
    const auto is_it = [&](const TomlItem& item) { return item.section == option.section && item.key == option.key; };
    if (std::ranges::none_of(items, is_it)) missing.push_back(option.section + "." + option.key);
  }
  return missing;
}

std::optional<RunOptions::Change> RunOptions::change_of_meaning(const RunOptions& before, const RunOptions& after) {
  for (size_t i = before.options_.size();
       i-- > 0;) {  // data.condition before model.context_tokens, which follows from it
    const Option &was = before.options_[i], &is = after.options_[i];
    if (is_fixed(was.section, was.key) && was.print() != is.print())
      return Change{was.section + "." + was.key, was.print(), is.print()};
  }
  return std::nullopt;
}

RunConfig parse_run_config(const std::string& toml, const std::string& origin) {
  CLI::App app;
  RunConfig config;
  RunOptions(app, config).apply_toml(toml, origin);
  return config;
}

std::string print_run_config(const RunConfig& config) {
  CLI::App app;
  RunConfig copy = config;
  return RunOptions(app, copy).to_toml();
}

std::optional<RunOptions::Change> change_of_meaning(const RunConfig& before, const RunConfig& after) {
  CLI::App apps[2];
  RunConfig copies[] = {before, after};
  return RunOptions::change_of_meaning(RunOptions(apps[0], copies[0]), RunOptions(apps[1], copies[1]));
}

}  // namespace uvic
