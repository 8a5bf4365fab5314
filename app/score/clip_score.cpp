#include "app/score/clip_score.h"

#include "app/score/captions.h"
#include "app/score/run_network.h"
#include "core/one_by_one.h"
#include "eval/metrics/clip_score.h"

namespace uvic {

ClipScores score_with_clip(const World& world, const ClipModel& clip, const std::string& identity,
                           const ImageSource& images, const Dataset& captions, int64_t count, const std::string& name) {
  const ClipConfig& config = clip.net.config();
  const auto tokens_of = [&](int64_t image) {
    return clip.tokenizer.encode(caption_of(captions, image), config.text.max_position_embeddings);
  };
  const ImageNetwork network{
      .network = [&](const std::vector<Tensor>& pictures) -> Activations {
        const at::NoGradGuard no_grad;
        return {clip.net.of_images(at::stack(pictures)), {}, {}};
      },
      .prepare = [&](const Tensor& pixels,
                     const std::string& name) { return clip_input(pixels, config.vision.image_size, name); },
      .refine = [&](const Activations& batch, std::span<const int64_t> indices) -> Activations {
        std::vector<Tokens> tokens;
        for (const int64_t i : indices) tokens.push_back(tokens_of(i));
        const Tensor texts = one_by_one(std::ssize(tokens), [&](int64_t i) { return clip.net.of_text(tokens[i]); });
        return {clip_scores(batch.features, texts).unsqueeze(1), {}, {}};
      },
      .identity = identity};
  ClipScores result;
  std::vector<Tensor> scores;
  run_network(
      world, network, images, count, name,
      [&](const Activations& batch, std::span<const int64_t> indices) {
        scores.push_back(batch.features.squeeze(1));
        for (const int64_t i : indices) result.cut_off += tokens_of(i).left_out > 0;
      },
      /*fewest=*/1);
  if (world.rank() == 0) result.scores = at::cat(scores);
  return result;
}

}  // namespace uvic
