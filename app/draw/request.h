// One image to draw, and what the network is told of it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/model/model.h"

namespace uvic {

struct Request {
  uint64_t seed = 0;
  std::string prompt;            // for models with text
  std::string negative;          // guidance leads away from it; "": from no text
  std::optional<int64_t> label;  // for models with classes; none: the null class
  // On the way to another prompt or seed: `mix` 0 is here, 1 is there. Contexts are mixed straight, noise on a circle.
  std::optional<std::string> to_prompt = {};
  std::optional<uint64_t> to_seed = {};
  double mix = 0;
  Tensor context = {}, negative_context = {};  // [N, D]: states to use in place of `prompt` and `negative`
  int64_t number = 0;                          // the caller's own
};

// The condition of a batch of requests, each text encoded once; `null` gives what guidance leads away from. Error if
// the model lacks the vocabulary or the text encoder that prompts need.
Condition make_condition(const Model& model, std::span<const Request> requests, bool null);

// What of the prompt the model cannot follow, such as "does not know 'dodecahedron'".
std::vector<std::string> not_followed(const Model& model, const std::string& prompt);

// The class of that name or number of the model `name`. Error lists the names.
int64_t parse_class(const ModelCard& card, const std::string& name, const std::string& text);

}  // namespace uvic
