#include "tests/parity/case.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"

namespace uvic::parity {

const Tensor& Case::at(const std::string& key) const {
  const auto found = tensors.find(key);
  if (found == tensors.end()) fail("case {} has no tensor '{}'", name, key);
  return found->second;
}

TensorMap Case::weights() const {
  return read_safetensors(folder / (name + ".weights.safetensors")).tensors;
}

void expect_options(const nlohmann::json& config, std::initializer_list<std::string_view> keys) {
  for (const auto& item : config.items())
    if (std::find(keys.begin(), keys.end(), item.key()) == keys.end()) fail("unknown option '{}'", item.key());
}

void expect_value(const nlohmann::json& config, const std::string& key, const nlohmann::json& values) {
  if (config.contains(key) && std::find(values.begin(), values.end(), config.at(key)) == values.end())
    fail("unknown option '{}' = {}: known are {}", key, config.at(key).dump(), values.dump());
}

namespace {

double max_abs(const Tensor& x) {
  return x.numel() == 0 ? 0.0 : x.abs().max().item<double>();
}

Tensor difference(const std::string& what, const Tensor& got, const Tensor& want) {
  if (got.sizes() != want.sizes())
    fail("{}: got shape {}, expected {}", what, fmt::join(got.sizes(), "x"), fmt::join(want.sizes(), "x"));
  return got.detach().to(at::kCPU, at::kDouble) - want.to(at::kDouble);
}

}  // namespace

void Report::relmax(const std::string& what, const Tensor& got, const Tensor& want, double tolerance) {
  const double error = max_abs(difference(what, got, want));
  const double scale = max_abs(want.to(at::kDouble));
  add(what, scale == 0 ? error : error / scale, tolerance);
}

void Report::absmax(const std::string& what, const Tensor& got, const Tensor& want, double tolerance) {
  add(what, max_abs(difference(what, got, want)), tolerance);
}

void Report::exact(const std::string& what, const Tensor& got, const Tensor& want) {
  const bool equal = got.scalar_type() == want.scalar_type() && got.sizes() == want.sizes() && at::equal(got, want);
  add(what, equal ? 0.0 : 1.0, 0.0);
}

void Report::add(const std::string& what, double error, double tolerance) {
  rows_.push_back({what, error, tolerance});
}

}  // namespace uvic::parity
