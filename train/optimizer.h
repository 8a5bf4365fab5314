// What the training loop asks of an optimizer.
#pragma once

#include "core/parameters.h"

namespace uvic {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // One update from the parameters' gradients.
  virtual void step(double lr) = 0;

  // All that the next step depends on besides the parameters; the tensors are the optimizer's own. Error, naming
  // `origin`, if the state is that of other parameters or of another kind of optimizer.
  virtual TensorMap state() const = 0;
  virtual void load_state(const TensorMap& state, const std::string& origin) = 0;
};

}  // namespace uvic
