#include "app/serve/painter.h"

#include "app/draw/sample_plan.h"
#include "app/draw/settings.h"
#include "core/error.h"
#include "core/image/image.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr int64_t kPreviews = 8, kPreviewsOfLatents = 3;  // decoding latents takes longer than a network call

struct NobodyWants {};  // the rest of a batch

void draw(Queue& queue, ServedModels& models, const std::vector<JobPart>& batch) {
  const Order& order = batch.front().job->order;
  Model& model = models.use(order.model, order.settings.precision);
  GenerateOptions how{.settings = settle(model, order.settings), .batch = std::ssize(batch), .edit = order.edit};
  if (how.settings.tile == 0) how.settings.tile = tile_for(model, how.batch);
  how.strip = std::min(how.settings.sampler.steps, model.autoencoder ? kPreviewsOfLatents : kPreviews);

  // Requests are numbered by their place in the batch while it is drawn.
  std::vector<Request> requests;
  for (const JobPart& part : batch) {
    requests.push_back(part.job->order.requests[part.number]);
    requests.back().number = std::ssize(requests) - 1;
  }
  const auto part_of = [&](const Request& request) -> const JobPart& { return batch[request.number]; };
  how.is_wanted = [&](const Request& request) { return part_of(request).job->is_wanted.load(); };
  how.on_frame = [&](const Request& request, int64_t calls, const Tensor& frame) {
    if (how.is_wanted(request)) queue.on_preview(part_of(request), {calls, encode_png(frame)});
  };
  int64_t calls = 0;
  size_t next = 0;
  generate(
      model, [&] { return next < requests.size() ? std::optional(requests[next++]) : std::nullopt; }, how,
      [&](const Request& request, const Drawing& drawing) {
        const std::string parameters = to_parameters(make_recipe(model, request, how));
        queue.on_picture(part_of(request), {encode_png(drawing.image, {{kParametersKey, parameters}}), parameters});
      },
      [&](int64_t) {
        queue.on_call(batch, ++calls);
        if (std::ranges::none_of(requests, how.is_wanted)) throw NobodyWants();
      });
}

}  // namespace

void paint(Queue& queue, ServedModels& models) {
  while (true) {
    const std::vector<JobPart> batch = queue.next();
    if (batch.empty()) return;
    const Clock::time_point begin = Clock::now();
    try {
      draw(queue, models, batch);
    } catch (const NobodyWants&) {
    } catch (const NotFinite& error) {  // a guidance beyond all measure
      queue.on_failure(batch, error.what(), 422);
    } catch (const Error& error) {
      queue.on_failure(batch, error.what());
    } catch (const std::exception& error) {
      warn(fmt::format("a picture could not be drawn: {}", error.what()));
      queue.on_failure(batch, "the server failed at this: its log says how");
    }
    queue.end_batch(batch, seconds_since(begin));
  }
}

}  // namespace uvic
