// What a client asks of /api/jobs, of a model with classes and of one with text.
#include "app/serve/order.h"

#include "core/formats/json_file.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const nlohmann::json body = parse_json(bytes, "the body");
  if (!body.is_object()) return;
  ModelCard classes, text;
  classes.config.model.classes = 2;
  classes.classes = {"cat", "dog"};
  text.config.model.context_tokens = 8;
  for (const ModelCard& card : {classes, text}) {
    Wish wish(card.config.sample);
    read_wish(body, wish);
    const Order order = make_order("model", card, 16, wish);
    TORCH_CHECK(!order.requests.empty() && std::ssize(order.requests) <= kMostPictures, "so many pictures");
  }
}
