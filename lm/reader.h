// A model that reads a text from left to right, with whatever memory it has.
#pragma once

#include <variant>

#include "lm/cogformer.h"

namespace uvic {

class Reader {
 public:
  // Of `batch` texts at once; `net` must outlive it.
  Reader(const Cogformer& net, int64_t batch);

  // The next tokens [batch, n] -> logits [batch, n, vocabulary], as if all tokens so far were read at once.
  Tensor read(const Tensor& tokens);

 private:
  const Cogformer& net_;
  std::variant<Cogformer::Cache, Cogformer::State> memory_;
};

}  // namespace uvic
