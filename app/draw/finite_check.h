// NaN and infinity in what a batch is drawn with.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/draw/pipeline.h"

namespace uvic {

// Where they first come up in each image of a batch.
class FiniteCheck {
 public:
  explicit FiniteCheck(std::span<const Request> requests) : requests_(requests) {}

  // `x` [B, ...] is `what`. NotFinite if no image is free of them any more; on a GPU that is not waited for.
  void look(const Tensor& x, std::string what);
  // "" for an image that is free of them.
  std::vector<std::string> problems() const;

 private:
  std::span<const Request> requests_;
  std::vector<Tensor> finite_;  // of each look, [B]
  std::vector<std::string> what_;
};

}  // namespace uvic
