#include "app/cli/config_options.h"

#include <algorithm>

#include "core/error.h"

namespace uvic {

CLI::Option* ConfigOptions::declare(const std::string& name, CLI::Option* option, std::function<std::string()> print) {
  const std::string dotted = name.substr(name.find_last_of('-') + 1);
  const size_t dot = dotted.find('.');
  const std::string section = dotted.substr(0, dot), key = dotted.substr(dot + 1);
  option->group(section)->take_last();
  options_.push_back({option, section, key, std::move(print)});
  return option;
}

void ConfigOptions::apply_toml(const std::string& text, const std::string& origin) {
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

std::string ConfigOptions::unknown_key(const std::string& section, const std::string& key) const {
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

std::string ConfigOptions::to_toml() const {
  std::string text, section;
  for (const Option& option : options_) {
    if (option.section != section) text += fmt::format("{}[{}]\n", text.empty() ? "" : "\n", option.section);
    section = option.section;
    text += fmt::format("{} = {}\n", option.key, option.print());
  }
  return text;
}

std::vector<std::string> ConfigOptions::missing_keys(const std::string& text, const std::string& origin) const {
  const std::vector<TomlItem> items = parse_toml(text, origin);
  std::vector<std::string> missing;
  for (const Option& option : options_) {
    const auto is_it = [&](const TomlItem& item) { return item.section == option.section && item.key == option.key; };
    if (std::ranges::none_of(items, is_it)) missing.push_back(option.section + "." + option.key);
  }
  return missing;
}

std::optional<ConfigOptions::Change> ConfigOptions::change_of_meaning(const ConfigOptions& before,
                                                                      const ConfigOptions& after) {
  for (size_t i = before.options_.size();
       i-- > 0;) {  // data.condition before model.context_tokens, which follows from it
    const Option &was = before.options_[i], &is = after.options_[i];
    if (before.is_fixed_(was.section, was.key) && was.print() != is.print())
      return Change{was.section + "." + was.key, was.print(), is.print()};
  }
  return std::nullopt;
}

}  // namespace uvic
