#include "transformer/lora.h"

#include <fmt/ranges.h>

#include <optional>

#include "core/autocast.h"
#include "core/error.h"
#include "core/random.h"

namespace uvic {
namespace {

// What is behind NAME: of the matrix, and of the factors in the order of the product.
struct LoraNames {
  MatrixLayout layout;
  std::string_view matrix, left, right;
};
constexpr LoraNames kLoraNames[] = {{MatrixLayout::kOutIn, ".weight", ".lora_B.weight", ".lora_A.weight"},
                                    {MatrixLayout::kInOut, "", ".lora_a", ".lora_b"}};

const LoraNames& names_of(MatrixLayout layout) {
  return kLoraNames[static_cast<size_t>(layout)];
}

std::string name_in_front(const std::string& name, std::string_view end) {
  return name.substr(0, name.size() - end.size());
}

std::string with_end(const std::string& name, std::string_view end) {
  return name + std::string(end);
}

// Its memory begins as noise for every task, so it has to be learned even where all else is kept.
bool is_trained_whole(const Parameter& p) {
  return p.role == Role::kToken && p.name == "fam_embedding";
}

// The factors of a matrix of a file.
struct Factors {
  std::string matrix;
  Tensor left, right;
};

// Nothing unless `name` is that of a left factor.
std::optional<Factors> factors_of(const std::string& name, const TensorMap& adapters, const std::string& origin) {
  for (const LoraNames& names : kLoraNames) {
    if (!name.ends_with(names.left)) continue;
    const std::string module = name_in_front(name, names.left), other = with_end(module, names.right);
    const auto right = adapters.find(other);
    if (right == adapters.end()) fail("{} is cut short or damaged: it has {}, and no {}", origin, name, other);
    return Factors{with_end(module, names.matrix), adapters.at(name), right->second};
  }
  return std::nullopt;
}

// A right factor, which comes with its left one.
bool is_right(const std::string& name, const TensorMap& adapters, const std::string& origin) {
  for (const LoraNames& names : kLoraNames) {
    if (!name.ends_with(names.right)) continue;
    const std::string other = with_end(name_in_front(name, names.right), names.left);
    if (!adapters.contains(other)) fail("{} is cut short or damaged: it has {}, and no {}", origin, name, other);
    return true;
  }
  return false;
}

[[noreturn]] void refuse(const std::string& origin, const std::string& what) {
  fail("{} holds adapters of another model: {}. Give the model that they were trained on", origin, what);
}

void expect_factors_fit(const Factors& factors, const Tensor& matrix, const std::string& origin) {
  const Tensor &left = factors.left, &right = factors.right;
  for (const Tensor& factor : {left, right})
    if (!factor.is_floating_point() || !is_finite(factor))
      fail("{}: an adapter of {} holds {}: take another copy of the file", origin, factors.matrix,
           factor.is_floating_point() ? "a non-finite number" : at::toString(factor.scalar_type()));
  const bool fits = matrix.dim() == 2 && left.dim() == 2 && right.dim() == 2 && left.size(1) == right.size(0) &&
                    left.size(1) > 0 && left.size(0) == matrix.size(0) && right.size(1) == matrix.size(1);
  if (!fits)
    refuse(origin,
           fmt::format("{} is [{}], a product of [{}] and [{}] does not fit", factors.matrix,
                       fmt::join(matrix.sizes(), ", "), fmt::join(left.sizes(), ", "), fmt::join(right.sizes(), ", ")));
}

}  // namespace

Tensor with_lora(const Tensor& weight, const Tensor& left, const Tensor& right, double alpha) {
  const Autocast exact(weight.device().type(), at::kFloat);
  return weight + at::matmul(left, right) * (alpha / static_cast<double>(left.size(1)));
}

Adapters::Adapters(const Parameters& network, const LoraConfig& config, uint64_t seed, MatrixLayout layout)
    : network_(network), alpha_(config.alpha > 0 ? config.alpha : static_cast<double>(config.rank)), layout_(layout) {
  const LoraNames& names = names_of(layout);
  at::Generator generator = make_generator(seed, Stream::kAdapters);
  for (const Parameter& p : network) {
    if (is_trained_whole(p)) trained_.push_back({p.name, p.tensor.detach().clone(), p.role});
    if (p.role != Role::kBlockMatrix) continue;
    const int64_t rows = p.tensor.size(0), columns = p.tensor.size(1);
    if (config.rank < 1 || config.rank > std::min(rows, columns))
      fail("lora.rank {}: expected 1 to {}, since {} is [{}, {}]", config.rank, std::min(rows, columns), p.name, rows,
           columns);
    TORCH_CHECK(p.name.ends_with(names.matrix), "not the name of such a matrix: ", p.name);
    const std::string module = name_in_front(p.name, names.matrix);
    const bool left_first = layout == MatrixLayout::kInOut;  // x left right, else x right' left'
    const double bound = 1 / std::sqrt(static_cast<double>(left_first ? rows : columns));
    Tensor left = at::zeros({rows, config.rank}), right = at::zeros({config.rank, columns});
    (left_first ? left : right).uniform_(-bound, bound, generator);
    trained_.push_back({with_end(module, names.left), left.to(p.tensor.options()), p.role});
    trained_.push_back({with_end(module, names.right), right.to(p.tensor.options()), p.role});
  }
}

TensorMap Adapters::weights(const TensorMap& values) const {
  const LoraNames& names = names_of(layout_);
  TensorMap all;
  for (const Parameter& p : network_) {
    if (is_trained_whole(p)) {
      all[p.name] = values.at(p.name);
    } else if (p.role == Role::kBlockMatrix) {
      const std::string module = name_in_front(p.name, names.matrix);
      all[p.name] = with_lora(p.tensor, values.at(with_end(module, names.left)),
                              values.at(with_end(module, names.right)), alpha_);
    } else {
      all[p.name] = p.tensor;
    }
  }
  return all;
}

bool are_adapters(const TensorMap& tensors) {
  for (const auto& entry : tensors)
    for (const LoraNames& names : kLoraNames)
      if (entry.first.ends_with(names.left) || entry.first.ends_with(names.right)) return true;
  return false;
}

void add_adapters(const Parameters& network, const TensorMap& adapters,
                  const std::function<double(int64_t rank)>& alpha, double strength, const std::string& origin) {
  const at::NoGradGuard no_grad;
  const TensorMap own = to_map(network);
  TensorMap changed;
  for (const auto& [name, tensor] : adapters) {
    if (is_right(name, adapters, origin)) continue;
    const std::optional<Factors> factors = factors_of(name, adapters, origin);
    const std::string& target = factors ? factors->matrix : name;
    const auto found = own.find(target);
    if (found == own.end()) refuse(origin, "this one has no " + target);
    const Tensor& weight = found->second;
    if (factors) {
      expect_factors_fit(*factors, weight, origin);
      changed[target] = with_lora(weight, factors->left.to(weight.options()), factors->right.to(weight.options()),
                                  strength * alpha(factors->left.size(1)));
    } else if (tensor.sizes() == weight.sizes() && tensor.is_floating_point() && is_finite(tensor)) {
      changed[target] = weight + (tensor.to(weight.options()) - weight) * strength;
    } else {
      refuse(origin, fmt::format("{} is [{}], not [{}] of finite numbers", target, fmt::join(weight.sizes(), ", "),
                                 fmt::join(tensor.sizes(), ", ")));
    }
  }
  for (const auto& [name, tensor] : changed)
    if (!is_finite(tensor)) fail("{}, {} times: {} becomes infinite. Give a smaller weight", origin, strength, name);
  for (const auto& [name, tensor] : changed) Tensor(own.at(name)).copy_(tensor);
}

}  // namespace uvic
