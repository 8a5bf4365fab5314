#include "core/error.h"
#include "eval/inception.h"

namespace uvic {
namespace {

// Where a layer of the TensorFlow graph stands in pytorch-fid. The rows for one kind of block serve all blocks of it.
struct Scope {
  std::string_view tensorflow, pytorch;
};
constexpr Scope kStem[] = {{"conv", "Conv2d_1a_3x3"},
                           {"conv_1", "Conv2d_2a_3x3"},
                           {"conv_2", "Conv2d_2b_3x3"},
                           {"conv_3", "Conv2d_3b_1x1"},
                           {"conv_4", "Conv2d_4a_3x3"}};
constexpr Scope kGrid35[] = {{"conv", "1x1"},
                             {"tower.conv", "5x5_1"},
                             {"tower.conv_1", "5x5_2"},
                             {"tower_1.conv", "3x3dbl_1"},
                             {"tower_1.conv_1", "3x3dbl_2"},
                             {"tower_1.conv_2", "3x3dbl_3"},
                             {"tower_2.conv", "_pool"}};
constexpr Scope kTo17[] = {
    {"conv", "3x3"}, {"tower.conv", "3x3dbl_1"}, {"tower.conv_1", "3x3dbl_2"}, {"tower.conv_2", "3x3dbl_3"}};
constexpr Scope kGrid17[] = {{"conv", "1x1"},
                             {"tower.conv", "7x7_1"},
                             {"tower.conv_1", "7x7_2"},
                             {"tower.conv_2", "7x7_3"},
                             {"tower_1.conv", "7x7dbl_1"},
                             {"tower_1.conv_1", "7x7dbl_2"},
                             {"tower_1.conv_2", "7x7dbl_3"},
                             {"tower_1.conv_3", "7x7dbl_4"},
                             {"tower_1.conv_4", "7x7dbl_5"},
                             {"tower_2.conv", "_pool"}};
constexpr Scope kTo8[] = {{"tower.conv", "3x3_1"},       {"tower.conv_1", "3x3_2"},     {"tower_1.conv", "7x7x3_1"},
                          {"tower_1.conv_1", "7x7x3_2"}, {"tower_1.conv_2", "7x7x3_3"}, {"tower_1.conv_3", "7x7x3_4"}};
constexpr Scope kGrid8[] = {{"conv", "1x1"},
                            {"tower.conv", "3x3_1"},
                            {"tower.mixed.conv", "3x3_2a"},
                            {"tower.mixed.conv_1", "3x3_2b"},
                            {"tower_1.conv", "3x3dbl_1"},
                            {"tower_1.conv_1", "3x3dbl_2"},
                            {"tower_1.mixed.conv", "3x3dbl_3a"},
                            {"tower_1.mixed.conv_1", "3x3dbl_3b"},
                            {"tower_2.conv", "_pool"}};
struct Mixed {
  std::string_view tensorflow, pytorch;
  std::span<const Scope> scopes;
};
constexpr Mixed kMixed[] = {
    {"mixed", "Mixed_5b", kGrid35},   {"mixed_1", "Mixed_5c", kGrid35}, {"mixed_2", "Mixed_5d", kGrid35},
    {"mixed_3", "Mixed_6a", kTo17},   {"mixed_4", "Mixed_6b", kGrid17}, {"mixed_5", "Mixed_6c", kGrid17},
    {"mixed_6", "Mixed_6d", kGrid17}, {"mixed_7", "Mixed_6e", kGrid17}, {"mixed_8", "Mixed_7a", kTo8},
    {"mixed_9", "Mixed_7b", kGrid8},  {"mixed_10", "Mixed_7c", kGrid8}};

// Moves the tensors of one layer. Kernels are told by their four dimensions and the vectors by their names, because the
// graph's names (beta, moving_variance) and PyTorch's (bias, running_var) both occur. The graph has no scale: it is
// one.
void move_layer(const TensorMap& from, const std::string& scope, const std::string& to, TensorMap& moved) {
  for (auto it = from.lower_bound(scope + "."); it != from.end() && it->first.starts_with(scope + "."); ++it) {
    const std::string leaf = it->first.substr(it->first.rfind('.') + 1);
    const auto says = [&](std::string_view word) { return leaf.find(word) != std::string::npos; };
    if (it->second.dim() == 4) {
      moved[to + ".conv.weight"] = it->second;
      moved.try_emplace(to + ".bn.weight", at::ones({it->second.size(0)}));
    } else if (says("mean")) {
      moved[to + ".bn.running_mean"] = it->second;
    } else if (says("var")) {
      moved[to + ".bn.running_var"] = it->second;
    } else if (says("beta") || says("bias")) {
      moved[to + ".bn.bias"] = it->second;
    } else if (says("gamma") || says("weight")) {
      moved[to + ".bn.weight"] = it->second;
    }
  }
}

}  // namespace

TensorMap pytorch_fid_names(const TensorMap& weights) {
  const auto first = weights.lower_bound("layers.");
  if (first == weights.end() || !first->first.starts_with("layers.")) return weights;
  TensorMap moved;
  for (const Scope& scope : kStem)
    move_layer(weights, fmt::format("layers.{}", scope.tensorflow), std::string(scope.pytorch), moved);
  for (const Mixed& mixed : kMixed)
    for (const Scope& scope : mixed.scopes)
      move_layer(weights, fmt::format("layers.{}.{}", mixed.tensorflow, scope.tensorflow),
                 fmt::format("{}.branch{}", mixed.pytorch, scope.pytorch), moved);
  for (const char* name : {"weight", "bias"})
    if (const auto found = weights.find(std::string("output.") + name); found != weights.end())
      moved[std::string("fc.") + name] = found->second;
  return moved;
}

}  // namespace uvic
