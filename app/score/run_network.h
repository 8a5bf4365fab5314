// Networks that look at images.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "app/score/image_source.h"
#include "eval/features.h"
#include "train/world.h"

namespace uvic {

struct ImageNetwork {
  // As FeatureNet::activations; called from several threads.
  std::function<Activations(const std::vector<Tensor>& images)> network;
  // Makes of pixels [3, H, W] what the network takes, and may refuse them; none: nothing.
  std::function<Tensor(const Tensor& pixels, const std::string& name)> prepare = {};
  // Makes of what it says of these images what is handed out, matrices too, of any type; none: all that it says.
  std::function<Activations(const Activations& batch, std::span<const int64_t> indices)> refine = {};
  std::string identity = {};  // one line that tells it from others
};
ImageNetwork network_of(const FeatureNet& net);

// What is handed out of which images.
using OnActivations = std::function<void(const Activations& batch, std::span<const int64_t> indices)>;

// Runs it over those images that are wanted of a part of the first `count` of `source` (ImageSource::open), with
// progress on stderr. Damaged and refused images are left out with a warning, which calls them `name`. Error if that
// leaves less than `fewest` images; Interrupted after Ctrl-C.
void run_network(const ImageNetwork& network, const ImageSource& source, int64_t count, const Stretch& part,
                 const std::string& name, const OnActivations& on_batch, const Wanted& wanted = {}, int64_t fewest = 2);

// The same of the first `count`, shared out over the ranks of `world`. Rank 0 alone hands out, when all are done, the
// batches of one process in their order. Error if ranks have other images or another network.
void run_network(const World& world, const ImageNetwork& network, const ImageSource& source, int64_t count,
                 const std::string& name, const OnActivations& on_batch, int64_t fewest = 2);

}  // namespace uvic
