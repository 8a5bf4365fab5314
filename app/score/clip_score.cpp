#include "app/score/clip_score.h"

#include "app/score/captions.h"
#include "app/score/score.h"
#include "core/one_by_one.h"
#include "eval/metrics/clip_score.h"

namespace uvic {
namespace {

// The images as CLIP sees them; one of which it would see too little counts as damaged.
ImageSource seen_by(const Clip& clip, const ImageSource& images) {
  const int64_t size = clip.config().vision.image_size;
  const auto read = [&images, size](int64_t count, const ImageSource::Wanted& wanted, const ImageSource::Visit& visit,
                                    const ImageSource::Tick& tick) {
    const auto visit_seen = [&](std::span<const PendingImage> pictures) {
      std::vector<PendingImage> seen;
      for (const PendingImage& picture : pictures)
        seen.push_back({picture.index, picture.name,
                        [&picture, size] { return clip_input(picture.pixels(), size, picture.name); }});
      visit(seen);
    };
    images.read(count, wanted, visit_seen, tick);
  };
  return {images.size, read};
}

}  // namespace

ClipScores score_with_clip(const ClipModel& clip, const ImageSource& images, const Dataset& captions, int64_t count,
                           const std::string& name) {
  ClipScores result;
  std::vector<Tensor> scores;
  const ClipConfig& config = clip.net.config();
  const auto network = [&](const std::vector<Tensor>& pictures) -> Activations {
    const at::NoGradGuard no_grad;
    return {clip.net.of_images(at::stack(pictures)), {}, {}};
  };
  const auto on_batch = [&](const Activations& batch, std::span<const int64_t> indices) {
    std::vector<Tokens> tokens;
    for (const int64_t i : indices) {
      tokens.push_back(clip.tokenizer.encode(caption_of(captions, i), config.text.max_position_embeddings));
      result.cut_off += tokens.back().left_out > 0;
    }
    const Tensor texts = one_by_one(std::ssize(tokens), [&](int64_t i) { return clip.net.of_text(tokens[i]); });
    scores.push_back(clip_scores(batch.features, texts));
  };
  run_network(network, seen_by(clip.net, images), count, name, on_batch, {}, /*fewest=*/1);
  result.scores = at::cat(scores);
  return result;
}

}  // namespace uvic
