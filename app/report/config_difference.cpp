#include "app/report/config_difference.h"

#include <algorithm>
#include <map>

namespace uvic {

std::vector<ConfigDifference> differences(const std::vector<std::vector<TomlItem>>& configs) {
  std::vector<std::string> keys;
  std::map<std::string, std::vector<std::string>> values;
  for (size_t i = 0; i < configs.size(); ++i)
    for (const TomlItem& item : configs[i]) {
      const std::string key = item.section + "." + item.key;
      const auto [found, is_new] = values.try_emplace(key, configs.size(), "not there");
      if (is_new) keys.push_back(key);
      found->second[i] = item.value;
    }
  std::vector<ConfigDifference> different;
  for (const std::string& key : keys) {
    const auto& of_key = values.at(key);
    if (std::adjacent_find(of_key.begin(), of_key.end(), std::not_equal_to<>()) != of_key.end())
      different.push_back({key, of_key});
  }
  return different;
}

}  // namespace uvic
