#include "app/options.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "core/error.h"
#include "eval/features.h"
#include "unet_vit/attention.h"

namespace uvic {
namespace {

std::string to_text(const std::string& value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}
std::string to_text(bool value) { return value ? "true" : "false"; }
std::string to_text(double value) { return fmt::format("{}", value); }
std::string to_text(int64_t value) { return fmt::format("{}", value); }
std::string to_text(uint64_t value) { return fmt::format("{}", value); }
std::string to_text(int value) { return fmt::format("{}", value); }

template <class T>
CLI::Validator one_of(std::span<const Entry<T>> table) {
  return {[table](std::string& value) {
            for (const auto& entry : table)
              if (entry.name == value) return std::string();
            return fmt::format("'{}' is none of {}", value, names(table));
          },
          names(table)};
}

CLI::Validator at_least(double low) {
  return {[low](std::string& text) {
            char* end = nullptr;
            const double value = std::strtod(text.c_str(), &end);
            return *end == 0 && value >= low ? std::string() : fmt::format("'{}': expected {} or more", text, low);
          },
          fmt::format(">= {}", low)};
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
    option = app_.add_option(name, value, help)->type_name("BOOL")->default_str(value ? "true" : "false");
  else
    option = app_.add_option(name, value, help)->capture_default_str();
  option->group(section);
  options_.push_back({option, section, key, [&value] { return to_text(value); }});
  return option;
}

RunOptions::RunOptions(CLI::App& app, RunConfig& config) : app_(app) {
  add_model(config.model);
  add_diffusion(config.schedule, config.objective);
  add_data(config.data);
  add_train(config.train);
  add_sample(config.sample);
  add_eval(config.eval);
  add_output(config.output);
}

void RunOptions::add_model(UVitConfig& c) {
  add("--model.size", c.size, "gives depth, dim and heads where those are 0")->check(one_of(uvit_sizes()));
  add("--model.depth", c.depth, "blocks beside the middle one");
  add("--model.dim", c.dim, "width of a token");
  add("--model.heads", c.heads, "attention heads");
  add("--model.image_size", c.image_size, "height and width of an image");
  add("--model.patch", c.patch, "height and width of a patch");
  add("--model.channels", c.channels, "channels of an image");
  add("--model.mlp_ratio", c.mlp_ratio, "hidden width of the MLP by token width");
  add("--model.qkv_bias", c.qkv_bias, "bias of the query, key and value projection");
  add("--model.mlp_time_embed", c.mlp_time_embed, "two-layer network on the time embedding");
  add("--model.conv", c.conv, "final 3x3 convolution");
  add("--model.skip", c.skip, "long skip connections");
  add("--model.classes", c.classes, "number of classes (set by data.condition class)");
  add("--model.context_tokens", c.context_tokens, "text tokens (data.condition text)");
  add("--model.context_dim", c.context_dim, "width of a text state; 0: model.dim");
  add("--model.vocabulary", c.vocabulary, "words of the learned text embedding (set by data.condition text)");
  add("--model.attention", c.attention, "attention of every block but the first and the last")
      ->check(one_of(attention_kinds()));
  add("--model.end_attention", c.end_attention, "attention of the first and the last block")
      ->check(one_of(attention_kinds()));
  add("--model.checkpointing", c.checkpointing, "recompute activations: less memory, about 1/3 more time");
}

void RunOptions::add_diffusion(ScheduleConfig& schedule, ObjectiveConfig& objective) {
  add("--schedule.kind", schedule.kind, "noise schedule")->check(one_of(schedule_kinds()));
  add("--schedule.beta_start", schedule.beta_start, "0: the kind's own");
  add("--schedule.beta_end", schedule.beta_end, "0: the kind's own");
  add("--objective.prediction", objective.prediction, "what the network predicts")->check(one_of(prediction_kinds()));
  add("--objective.weighting", objective.weighting, "loss weighting over time")->check(one_of(weighting_kinds()));
  add("--objective.snr_gamma", objective.snr_gamma, "cap of min-snr");
}

void RunOptions::add_data(DataConfig& c) {
  add("--data,--data.spec", c.spec, "data SPEC, see `uvic data list`");
  add("--data.condition", c.condition, "what images are drawn from")->check(CLI::IsMember({"none", "class", "text"}));
  add("--data.drop_condition", c.drop_condition, "share of samples trained without their condition, for guidance")
      ->check(CLI::Range(0.0, 1.0));
  add("--data.flip", c.flip, "random horizontal flips");
  add("--data.max_vocabulary", c.max_vocabulary, "most words of a learned text embedding")->check(at_least(2));
}

void RunOptions::add_train(TrainConfig& c) {
  add("--steps,--train.steps", c.steps, "optimizer steps")->check(at_least(1));
  add("--batch,--train.batch", c.batch, "images per micro-batch")->check(at_least(1));
  add("--train.accumulate", c.accumulate, "micro-batches per step")->check(at_least(1));
  add("--seed,--train.seed", c.seed, "of initial weights, data order, noise");
  add("--lr,--train.lr", c.lr, "learning rate")->check(at_least(0));
  add("--train.warmup", c.warmup, "steps of linear warm-up")->check(at_least(0));
  add("--train.lr_decay", c.lr_decay, "after the warm-up")->check(one_of(lr_decays()));
  add("--train.clip", c.clip, "largest gradient norm; 0: no clipping")->check(at_least(0));
  add("--train.precision", c.precision, "of matrix products")->check(one_of(precisions()));
  add("--train.beta1", c.adamw.beta1, "AdamW")->check(CLI::Range(0.0, 1.0));
  add("--train.beta2", c.adamw.beta2, "AdamW")->check(CLI::Range(0.0, 1.0));
  add("--train.eps", c.adamw.eps, "AdamW")->check(at_least(0));
  add("--train.weight_decay", c.adamw.weight_decay, "AdamW, of every parameter")->check(at_least(0));
  add("--train.ema", c.ema.rate, "share of the average that a step keeps")->check(CLI::Range(0.0, 1.0));
  add("--train.ema_warmup", c.ema.warmup, "lower share in the first steps");
}

void RunOptions::add_sample(SampleConfig& c) {
  add("--sample.sampler", c.sampler.kind, "for grids and scores")->check(one_of(samplers()));
  add("--sample.steps", c.sampler.steps, "network calls per image")->check(at_least(1));
  add("--sample.eta", c.sampler.eta, "ddim: 0 deterministic, 1 like ddpm")->check(at_least(0));
  add("--sample.clip_x0", c.sampler.clip_x0, "ddpm, ddim: clamp predicted images to [-1, 1]");
  add("--sample.cfg_scale", c.cfg_scale, "guidance; 1: none (U-ViT's scale + 1)")->check(at_least(0));
}

void RunOptions::add_eval(EvalConfig& c) {
  add("--eval.every", c.every, "steps between scores; 0: never")->check(at_least(0));
  add("--eval.num", c.num, "images per score")->check(at_least(2));
  add("--eval.features", c.features, "feature network; empty: inception-fid if its weights are there, else efficientnet-lite0")
      ->check(empty_or_one_of(feature_nets()));
  add("--eval.against", c.against, "data SPEC to compare with; empty: the training data");
}

void RunOptions::add_output(OutputConfig& c) {
  add("--name,--output.name", c.name, "of the run folder, behind its number");
  add("--output.log_every", c.log_every, "steps between rows of the logs")->check(at_least(1));
  add("--output.save_every", c.save_every, "steps between checkpoints")->check(at_least(1));
  add("--output.keep_last", c.keep_last, "checkpoints kept beside the best one")->check(at_least(1));
  add("--output.sample_every", c.sample_every, "steps between sample grids; 0: none")->check(at_least(0));
  add("--output.grid", c.grid, "rows and columns of a sample grid")->check(CLI::Range(1, 32));
}

void RunOptions::apply_toml(const std::string& text, const std::string& origin) {
  std::istringstream stream(text);
  std::vector<CLI::ConfigItem> items;
  try {
    items = CLI::ConfigTOML().from_config(stream);
  } catch (const CLI::Error& error) {
    fail("{}: {}", origin, error.what());
  }
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // CLI11's marks for the begin and end of a section
    const std::string section = fmt::format("{}", fmt::join(item.parents, "."));
    const auto known = std::find_if(options_.begin(), options_.end(), [&](const Option& option) {
      return option.section == section && option.key == item.name;
    });
    if (known == options_.end()) fail("{}: unknown key '{}' in [{}]", origin, item.name, section);
    if (known->option->count() > 0) continue;
    try {
      known->option->add_result(item.inputs);
      known->option->run_callback();
    } catch (const CLI::Error& error) {
      fail("{}: [{}] {} = {}: {}", origin, section, item.name, fmt::join(item.inputs, ", "), error.what());
    }
  }
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

}  // namespace uvic
