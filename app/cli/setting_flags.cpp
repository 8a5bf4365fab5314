#include "app/cli/setting_flags.h"

#include <algorithm>
#include <cmath>

#include "app/cli/checks.h"
#include "core/error.h"

namespace uvic {

CLI::Validator allowed(const Setting& setting) {
  if (setting.choices) return one_of(setting.choices());
  return std::isfinite(setting.high) ? between(setting.low, setting.high) : at_least(setting.low);
}

void SettingFlags::add_options(CLI::App& app, std::initializer_list<std::string_view> others) {
  SampleConfig::visit([&](const Setting& setting, auto field) {
    if (std::ranges::count(others, setting.key) > 0) return;
    auto& value = field(given_);
    using T = std::remove_cvref_t<decltype(value)>;
    std::string flag = "--" + std::string(setting.key);
    std::ranges::replace(flag, '_', '-');
    CLI::Option* option = app.add_option(
        flag, value, std::string(setting.help) + (setting.in_config ? "; default: the model's own" : ""));
    option->check(value_of<T>());
    if constexpr (std::is_same_v<T, bool>)
      option->type_name("BOOL");
    else
      option->check(allowed(setting));
    flags_.push_back({setting.key, option, [this, field](SampleConfig& config) { field(config) = field(given_); },
                      [field](const SampleConfig& config) { return setting_text(field(config)); }});
  });
}

bool SettingFlags::given(std::string_view key) const {
  return std::ranges::any_of(flags_, [&](const Flag& flag) { return flag.key == key && flag.option->count() > 0; });
}

void SettingFlags::apply(SampleConfig& config) const {
  for (const Flag& flag : flags_)
    if (flag.option->count() > 0) flag.apply(config);
}

void SettingFlags::expect(const SampleConfig& fixed, const std::string& what) const {
  for (const Flag& flag : flags_)
    if (const std::string text = flag.text(given_); flag.option->count() > 0 && text != flag.text(fixed))
      fail("{} {} contradicts {}, which has {}", flag.option->get_name(), text, what, flag.text(fixed));
}

std::vector<const CLI::Option*> SettingFlags::options() const {
  std::vector<const CLI::Option*> all;
  for (const Flag& flag : flags_) all.push_back(flag.option);
  return all;
}

}  // namespace uvic
