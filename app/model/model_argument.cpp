#include "app/model/model_argument.h"

#include "app/cli/checks.h"
#include "app/model/adapter_file.h"
#include "app/model/encoder_options.h"
#include "core/device.h"

namespace uvic {

void ModelArgument::add_options(CLI::App& app, const std::string& device_help) {
  const size_t others = app.get_options().size();
  if (!device_help.empty())
    app.add_option("--device", device_, device_help)->check(device_name())->capture_default_str();
  app.add_option(
         "--lora", adapters_,
         "adapters to add, PATH or PATH:WEIGHT: .safetensors, a folder as PEFT writes it, a run or a checkpoint; "
         "may be given more than once")
      ->allow_extra_args(false);
  app.add_option("--base", base_, "what a run of adapters was trained on, if it is not where it was");
  add_encoder_options(app, encoders);
  source_.add_options(app);
  run_options_ = std::make_unique<RunOptions>(app, config_, RunOptions::kModelOnly);
  const auto all = static_cast<const CLI::App&>(app).get_options();
  options_.assign(all.begin() + static_cast<std::ptrdiff_t>(others), all.end());
}

Model ModelArgument::load(const std::filesystem::path& path) const {
  std::optional<RunConfig> fallback;
  if (!source_.empty()) {
    source_.apply(*run_options_);
    fallback = config_;
  }
  Model model = load_model(path, parse_device(device_), fallback, base_);
  for (const std::string& adapters : adapters_) apply_adapters(model, adapters);
  attach_encoders(model, encoders);
  return model;
}

}  // namespace uvic
