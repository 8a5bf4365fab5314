#include "app/lm/language_model_argument.h"

#include "app/cli/checks.h"
#include "core/device.h"

namespace uvic {

void LanguageModelArgument::add_options(CLI::App& app) {
  app.add_option("--model", path, "run or checkpoint folder, or .safetensors")->required();
  app.add_option("--device", device, "cpu, cuda or cuda:N")->check(device_name())->capture_default_str();
}

LanguageModel LanguageModelArgument::load() const {
  return load_language_model(path, parse_device(device));
}

}  // namespace uvic
