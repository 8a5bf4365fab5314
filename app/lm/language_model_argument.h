// A language model as an argument of a command, and the device it runs on.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "app/model/language_model.h"

namespace uvic {

struct LanguageModelArgument {
  std::string path, device = "cpu";

  // --model and --device. This object must outlive `app`.
  void add_options(CLI::App& app);
  LanguageModel load() const;
};

}  // namespace uvic
