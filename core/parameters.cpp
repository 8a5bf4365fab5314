#include "core/parameters.h"

#include <set>

#include <fmt/ranges.h>

#include "core/error.h"

namespace uvic {

namespace {

constexpr const char* kGiveOptions = "Give the model options (--model.*) it was trained with";

// "a, b, c and 12 more"
std::string some(const std::vector<std::string>& names) {
  constexpr size_t kShown = 4;
  const size_t shown = std::min(names.size(), kShown);
  std::string text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

NamedTensors named(const Parameters& parameters) {
  NamedTensors list;
  for (const Parameter& p : parameters) list.emplace_back(p.name, p.tensor);
  return list;
}

void expect_same(const NamedTensors& target, const TensorMap& source, const std::string& origin,
                 std::string_view remedy) {
  std::vector<std::string> missing, unexpected, misshapen;
  const TensorMap known(target.begin(), target.end());
  for (const auto& [name, tensor] : target) {
    const auto found = source.find(name);
    if (found == source.end())
      missing.push_back(name);
    else if (found->second.sizes() != tensor.sizes())
      misshapen.push_back(fmt::format("{} is [{}], not [{}]", name, fmt::join(found->second.sizes(), ", "),
                                      fmt::join(tensor.sizes(), ", ")));
    else if (tensor.is_floating_point() && !found->second.is_floating_point())
      fail("{}: {} holds {}, expected floating-point numbers", origin, name, at::toString(found->second.scalar_type()));
  }
  for (const auto& entry : source)
    if (!known.count(entry.first)) unexpected.push_back(entry.first);
  if (missing.empty() && unexpected.empty() && misshapen.empty()) return;
  std::string what;
  if (!missing.empty()) what += "; missing: " + some(missing);
  if (!unexpected.empty()) what += "; unexpected: " + some(unexpected);
  if (!misshapen.empty()) what += "; wrong shape: " + some(misshapen);
  fail("{} does not fit the model{}. {}", origin, what, remedy);
}

void copy_into(const NamedTensors& target, const TensorMap& source, const std::string& origin) {
  expect_same(target, source, origin, kGiveOptions);
  at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : target) Tensor(tensor).copy_(source.at(name));
}

}  // namespace

Parameters list_parameters(const VisitParameters& visit) {
  Parameters all;
  visit([&](const std::string& name, Tensor& tensor, Role role) { all.push_back({name, tensor, role}); });
  return all;
}

TensorMap to_map(const Parameters& parameters) {
  TensorMap map;
  for (const Parameter& p : parameters) map.emplace(p.name, p.tensor);
  return map;
}

void expect_fit(const Parameters& target, const TensorMap& source, const std::string& origin, std::string_view remedy) {
  expect_same(named(target), source, origin, remedy);
}

void load_into(const Parameters& target, const TensorMap& source, const std::string& origin) {
  copy_into(named(target), source, origin);
}

void load_into(const TensorMap& target, const TensorMap& source, const std::string& origin) {
  copy_into({target.begin(), target.end()}, source, origin);
}

void expect_enough(int64_t parameters, const TensorMap& weights, const std::string& origin) {
  std::set<const void*> seen;
  size_t bytes = 0;
  for (const auto& [name, tensor] : weights)
    if (seen.insert(tensor.storage().data()).second) bytes += tensor.storage().nbytes();
  if (static_cast<uint64_t>(parameters) > bytes)
    fail("{} does not fit the model, which has {} parameters: it holds {} bytes of weights. {}", origin, parameters,
         bytes, kGiveOptions);
}

int64_t count_parameters(const Parameters& parameters) {
  int64_t count = 0;
  for (const Parameter& p : parameters) count += p.tensor.numel();
  return count;
}

}  // namespace uvic
