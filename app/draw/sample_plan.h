// What `uvic sample` is asked to draw, and the recipes of it.
#pragma once

#include <string>
#include <vector>

#include "app/draw/pipeline.h"
#include "app/draw/recipe.h"

namespace uvic {

// Each prompt with each seed and, on the way to another prompt or seed, each frame. Requests are made one by one: there
// may be more than memory holds.
struct SamplePlan {
  std::vector<std::string> prompts;  // "" for none
  std::vector<uint64_t> seeds;
  std::vector<double> mixes = {0};  // how far each frame is
  Request common;                   // what all requests share

  int64_t frames() const { return std::ssize(mixes); }
  int64_t size() const { return std::ssize(prompts) * std::ssize(seeds) * frames(); }
  Request request(int64_t i) const;
};

Recipe make_recipe(const Model& model, const Request& request, const GenerateOptions& how);

}  // namespace uvic
