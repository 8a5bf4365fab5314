// From prompts and seeds to images.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/draw/edit.h"
#include "app/draw/request.h"
#include "core/error.h"

namespace uvic {

struct Drawing {
  Tensor image;               // [H, W, C] uint8
  std::vector<Tensor> strip;  // the predicted image at evenly spaced steps, [H, W, C] uint8; empty unless asked for
};

// The predicted image of a request under way, [H, W, C] uint8, after so many network calls.
using OnFrame = std::function<void(const Request& request, int64_t calls, Tensor frame)>;

struct GenerateOptions {
  SampleConfig settings;  // with the precision and latent scale of the model (choose_settings)
  int64_t batch = 16;     // images per network call
  int64_t strip = 0;      // frames of the strip
  OnFrame on_frame = {};  // takes these as they come, in place of Drawing::strip
  // A request that is so no longer costs no more network calls, and gives no drawing.
  std::function<bool(const Request& request)> is_wanted = {};
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
// does not grow with their number. NotFinite, after the other drawings of the batch are handed out, names the seed and
// the step.
//
// An image depends on its request alone: neither on its neighbours, nor on the batch size, nor on the thread count (on
// CPU bit for bit: every network call has one image and one thread, several calls run side by side).
void generate(const Model& model, const NextRequest& next, const GenerateOptions& options, const OnDrawing& on_drawing,
              const OnCall& on_call = {});

// The same of a few, all of which are returned.
std::vector<Drawing> generate(const Model& model, const std::vector<Request>& requests, const GenerateOptions& options,
                              const OnCall& on_call = {});

}  // namespace uvic
