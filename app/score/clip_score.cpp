#include "app/score/clip_score.h"

#include "app/score/captions.h"
#include "app/score/score.h"
#include "core/one_by_one.h"
#include "eval/metrics/clip_score.h"

namespace uvic {
ClipScores score_with_clip(const ClipModel& clip, const ImageSource& images, const Dataset& captions, int64_t count,
                           const std::string& name) {
  ClipScores result;
  std::vector<Tensor> scores;
  const ClipConfig& config = clip.net.config();
  const ImageNetwork network{
      .network = [&](const std::vector<Tensor>& pictures) -> Activations {
        const at::NoGradGuard no_grad;
        return {clip.net.of_images(at::stack(pictures)), {}, {}};
      },
      .prepare = [&](const Tensor& pixels,
                     const std::string& name) { return clip_input(pixels, config.vision.image_size, name); }};
  const auto on_batch = [&](const Activations& batch, std::span<const int64_t> indices) {
    std::vector<Tokens> tokens;
    for (const int64_t i : indices) {
      tokens.push_back(clip.tokenizer.encode(caption_of(captions, i), config.text.max_position_embeddings));
      result.cut_off += tokens.back().left_out > 0;
    }
    const Tensor texts = one_by_one(std::ssize(tokens), [&](int64_t i) { return clip.net.of_text(tokens[i]); });
    scores.push_back(clip_scores(batch.features, texts));
  };
  run_network(network, images, count, name, on_batch, {}, /*fewest=*/1);
  result.scores = at::cat(scores);
  return result;
}

}  // namespace uvic
