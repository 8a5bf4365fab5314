#include "transformer/checkpointing.h"

#include <torch/csrc/autograd/custom_function.h>

#include "core/autocast.h"

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

struct BlockHolder : torch::CustomClassHolder {
  BlockFunction block;
};

class Checkpointed : public torch::autograd::Function<Checkpointed> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const std::optional<Tensor>& maybe_skip,
                        const BlockFunction* block) {
    at::AutoGradMode no_grad(false);
    const Tensor skip = maybe_skip.value_or(Tensor());
    context->save_for_backward({x, skip});
    auto holder = c10::make_intrusive<BlockHolder>();
    holder->block = *block;
    context->saved_data["block"] = c10::IValue::make_capsule(holder);
    context->saved_data["precision"] = static_cast<int64_t>(Autocast::current(x.device().type()));
    return (*block)(x, skip);
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const auto holder = context->saved_data["block"].toCapsule();
    const Tensor x = saved[0].detach().requires_grad_();
    const Tensor skip = saved[1].defined() ? saved[1].detach().requires_grad_() : Tensor();
    at::AutoGradMode grad(true);
    Tensor out;
    {
      const auto precision = static_cast<at::ScalarType>(context->saved_data["precision"].toInt());
      Autocast autocast(x.device().type(), precision);
      out = static_cast<BlockHolder&>(*holder).block(x, skip);
    }
    out.backward(grads[0]);  // parameters accumulate their gradients here
    return {x.grad(), skip.defined() ? skip.grad() : Tensor(), Tensor()};
  }
};

}  // namespace

Tensor checkpointed(const BlockFunction& block, const Tensor& x, const Tensor& skip) {
  // The op's inputs must require gradients for its backward to run; parameters are reached through the closure only.
  const std::optional<Tensor> maybe_skip = skip.defined() ? std::optional<Tensor>(skip) : std::nullopt;
  return Checkpointed::apply(x.requires_grad() ? x : x.detach().requires_grad_(), maybe_skip, &block);
}

}  // namespace uvic
