// The settings of a drawing in JSON; Config::visit() lists them (app/cli/sample_config.h).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/sample_config.h"

namespace uvic {

// Adds "cfg_scale": 2 and so on: those that every recipe has, then those that are not the default.
template <class Json, class Config>
void add_settings(Json& json, const Config& config) {
  const Config usual;
  for (const bool first : {true, false})
    Config::visit([&](const Setting& setting, auto field) {
      if (first == (setting.place > 0) && (first || field(config) != field(usual)))
        json[std::string(setting.key)] = field(config);
    });
}

}  // namespace uvic
