// The CLIP score of images and their captions.
#pragma once

#include "app/score/image_source.h"
#include "encoders/clip.h"
#include "train/world.h"

namespace uvic {

struct ClipScores {
  Tensor scores;        // [n] float64, one of each image that can be read (eval/metrics/clip_score.h)
  int64_t cut_off = 0;  // captions with more tokens than CLIP reads
};

// Of the first `count` images, image i with caption i (cyclically), shared out over the ranks of `world`, of which rank
// 0 alone has the scores. `identity` tells this CLIP from others. With progress, warnings and errors as run_network.
ClipScores score_with_clip(const World& world, const ClipModel& clip, const std::string& identity,
                           const ImageSource& images, const Dataset& captions, int64_t count, const std::string& name);

}  // namespace uvic
