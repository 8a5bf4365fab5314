#include "app/training/sample_grid.h"

#include "core/image/image.h"
#include "core/interrupt.h"

namespace uvic {

Tensor draw_sample_grid(const Model& model, const TrainingSource& source) {
  const RunConfig& config = model.card.config;
  const int64_t side = config.output.grid;
  std::vector<Request> requests;
  std::vector<std::string> captions;
  const bool captioned = config.model.context_tokens > 0;
  for (int64_t i = 0; i < side * side; ++i) {
    Request request = source.request(i);
    request.seed = static_cast<uint64_t>(i);
    if (captioned) captions.push_back(request.prompt);
    requests.push_back(std::move(request));
  }
  const GenerateOptions options{.settings = config.sample};
  const auto drawings = generate(model, requests, options, [](int64_t) { stop_if_interrupted(); });
  std::vector<Tensor> images;
  for (const Drawing& drawing : drawings) images.push_back(drawing.image);
  return make_grid(images, captions, {.columns = side, .min_tile = captioned ? 96 : 0});
}

}  // namespace uvic
