// From prompts and seeds to images.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/draw/edit.h"
#include "app/model/model.h"
#include "core/error.h"

namespace uvic {

// One image to draw.
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

struct Drawing {
  Tensor image;               // [H, W, C] uint8
  std::vector<Tensor> strip;  // the predicted image at evenly spaced steps, [H, W, C] uint8; empty unless asked for
};

struct GenerateOptions {
  SampleConfig settings;          // with the precision and latent scale of the model (own_settings)
  int64_t batch = 16;             // images per network call
  int64_t strip = 0;              // frames of the strip
  std::optional<Edit> edit = {};  // what all images start from, with settings.strength of noise
};

// Called after each network call with the images done so far, of those under way their part; may throw to stop.
using OnCall = std::function<void(int64_t done)>;
using NextRequest = std::function<std::optional<Request>()>;
using OnDrawing = std::function<void(const Request& request, Drawing drawing)>;

// The network, or what makes pictures of its latents, gave NaN or infinity.
class NotFinite : public Error {
  using Error::Error;
};

// Draws what `next` gives until that is nothing, and hands each drawing out when its batch is drawn, in order: memory
// does not grow with their number. False if `on_call` stopped it; the batch under way is then lost. NotFinite, after
// the other drawings of the batch are handed out, names the seed and the step.
//
// An image depends on its request alone: neither on its neighbours, nor on the batch size, nor on the thread count (on
// CPU bit for bit: every network call has one image and one thread, several calls run side by side).
void generate(const Model& model, const NextRequest& next, const GenerateOptions& options, const OnDrawing& on_drawing,
              const OnCall& on_call = {});

// The same of a few, all of which are returned.
std::vector<Drawing> generate(const Model& model, const std::vector<Request>& requests, const GenerateOptions& options,
                              const OnCall& on_call = {});

// What of the prompt the model cannot follow, such as "does not know 'dodecahedron'".
std::vector<std::string> not_followed(const Model& model, const std::string& prompt);

// The class of that name or number. Error lists the names.
int64_t parse_class(const Model& model, const std::string& text);

}  // namespace uvic
