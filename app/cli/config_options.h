// Options that are keys of a config, declared once: flag, TOML key, help, default and printing come from the same line.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/checks.h"
#include "app/cli/init_config.h"
#include "app/cli/record_config.h"
#include "app/cli/toml.h"
#include "train/train.h"
#include "transformer/lora.h"

namespace uvic {

class ConfigOptions {
 public:
  // Gives the keys of a TOML text ([section] key = value) to the options that were not set before, so the first text
  // wins over later ones and flags win over all. Error for unknown keys and bad values, naming `origin` ("preset
  // shapes").
  void apply_toml(const std::string& text, const std::string& origin);

  std::string to_toml() const;  // the resolved config; apply_toml(to_toml()) gives the same one
  std::vector<std::string> missing_keys(const std::string& text, const std::string& origin) const;  // "section.key"

  struct Change {
    std::string key, before, after;
  };
  // The first key that gives trained weights (or the optimizer's state) another meaning and differs; both declare the
  // same options.
  static std::optional<Change> change_of_meaning(const ConfigOptions& before, const ConfigOptions& after);

 protected:
  // Keys that a run keeps.
  using IsFixed = bool (*)(std::string_view section, std::string_view key);
  ConfigOptions(CLI::App& app, IsFixed is_fixed) : app_(&app), is_fixed_(is_fixed) {}

  // Declares --section.key (and a short name before it) for a field, which must outlive this object.
  template <class T>
  CLI::Option* add(const std::string& name, T& value, const std::string& help) {
    CLI::Option* option;
    if constexpr (std::is_same_v<T, bool>)
      option = app_->add_option(name, value, help)->type_name("BOOL")->default_str(to_text(value));
    else
      option = app_->add_option(name, value, help)->capture_default_str();
    return declare(name, option->check(value_of<T>()), [&value] { return to_text(value); });
  }
  // The keys of options that are added from now on are read from files and are no flags.
  void hide_others() { app_ = &hidden_; }

  // Sections that all runs have; what their batches consist of, and what shows how far they have come.
  void add_init(InitConfig& init, LoraConfig& lora);
  void add_train(TrainConfig& config, std::string_view items);
  void add_record(RecordConfig& config, std::string_view samples);

 private:
  struct Option {
    CLI::Option* option;
    std::string section, key;
    std::function<std::string()> print;
  };
  CLI::Option* declare(const std::string& name, CLI::Option* option, std::function<std::string()> print);
  std::string unknown_key(const std::string& section, const std::string& key) const;

  static std::string to_text(const std::string& value) { return toml_string(value); }
  static std::string to_text(bool value) { return value ? "true" : "false"; }
  template <class Number>
  static std::string to_text(Number value) {
    return fmt::format("{}", value);
  }

  CLI::App* app_;
  CLI::App hidden_;  // holds the options that `app` does not show
  IsFixed is_fixed_;
  std::vector<Option> options_;
};

// A resolved config from its text; `Options` declare all of its keys.
template <class Options>
typename Options::Config parse_config(const std::string& toml, const std::string& origin) {
  CLI::App app;
  typename Options::Config config;
  Options(app, config).apply_toml(toml, origin);
  return config;
}

template <class Options>
std::string print_config(const typename Options::Config& config) {
  CLI::App app;
  typename Options::Config copy = config;
  return Options(app, copy).to_toml();
}

template <class Options>
std::optional<ConfigOptions::Change> change_of_meaning(const typename Options::Config& before,
                                                       const typename Options::Config& after) {
  CLI::App apps[2];
  typename Options::Config copies[] = {before, after};
  return ConfigOptions::change_of_meaning(Options(apps[0], copies[0]), Options(apps[1], copies[1]));
}

}  // namespace uvic
