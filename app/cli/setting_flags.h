// Flags for the settings of a drawing, which override those of a model or a recipe.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "app/cli/sample_config.h"

namespace uvic {

class SettingFlags {
 public:
  // Adds --cfg-scale and so on to `app`; this object must outlive it. `others`: keys that something else gives.
  void add_options(CLI::App& app, std::initializer_list<std::string_view> others = {});

  bool given(std::string_view key) const;
  // Gives those that were given to `config`.
  void apply(SampleConfig& config) const;
  // Error "--steps 20 contradicts WHAT, which has 50" if a flag says otherwise than `fixed`.
  void expect(const SampleConfig& fixed, const std::string& what) const;
  std::vector<const CLI::Option*> options() const;

 private:
  struct Flag {
    std::string_view key;
    CLI::Option* option;
    std::function<void(SampleConfig&)> apply;
    std::function<std::string(const SampleConfig&)> text;
  };
  SampleConfig given_;
  std::vector<Flag> flags_;
};

// What the setting's range or choices refuse; of numbers it comes after number().
CLI::Validator allowed(const Setting& setting);

}  // namespace uvic
