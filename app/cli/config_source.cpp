#include "app/cli/config_source.h"

#include "app/cli/checks.h"
#include "core/files.h"

namespace uvic {

void ConfigSource::add_options(CLI::App& app) {
  std::string list;
  for (const auto& entry : table) list += fmt::format("\n  {:16} {}", entry.name, entry.summary);
  app.add_option("--preset", preset, "a named config:" + list)->check(one_of(table).description(""));
  app.add_option("--config", file, "a TOML file of [section] key = value lines");
}

void ConfigSource::apply(ConfigOptions& options) const {
  if (!file.empty()) options.apply_toml(read_file(file, "config"), file);
  if (!preset.empty()) options.apply_toml(std::string(find(table, preset, "preset").value), "preset " + preset);
}

}  // namespace uvic
