// Feature networks: what turns an image into the vector whose distribution is compared.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/registry.h"
#include "core/tensor.h"

namespace uvic {

// What a network says of B images, float32.
struct Activations {
  Tensor features;  // [B, D]
  Tensor logits;    // [B, classes], as the Inception Score takes them; undefined if the network has none
  Tensor spatial;   // [B, S], features that tell one place from another; undefined if the network has none
};

// The batches one after the other; what is undefined in the first is undefined in all.
Activations concatenate(const std::vector<Activations>& batches);

constexpr size_t kWeightsDigits = 8;  // of the SHA-256 of a weights file that are kept and shown

class FeatureNet {
 public:
  virtual ~FeatureNet() = default;
  // Of images [3, H, W] uint8 of any sizes, as one batch. May be called from several threads at a time.
  virtual Activations activations(const std::vector<Tensor>& images) const = 0;
  Tensor features(const Tensor& images) const { return activations(images.unbind()).features; }  // of [B, 3, H, W]
  virtual int64_t dims() const = 0;
  virtual bool has_logits() const = 0;
  virtual bool has_spatial() const = 0;
  virtual std::string name() const = 0;            // the registry row
  virtual std::string weights_sha256() const = 0;  // of the weights file, its first kWeightsDigits
  virtual std::string resize() const = 0;          // a row of resize_modes(); empty: there is only one way
};

// How a distance in the features of a network (a row of feature_nets()) with these weights (the first digits of their
// SHA-256) is printed: "FID" for the published Inception weights (pytorch-fid's .pth, the TorchScript .pt) and for
// nothing else, "FD(efficientnet-lite0)" for its published weights, "FD(inception-fid, weights 1a2b3c4d)" for others.
std::string distance_label(std::string_view network, std::string_view weights);

// `weights` empty: the place where scripts/setup or the user put them (cache_folder()/weights); Error says which file
// is missing, its SHA-256, where to get it, and names the other networks that need no download. `resize`: a row of
// resize_modes(), empty: the network's default; Error if the network has no choice.
using LoadFeatureNet = std::unique_ptr<FeatureNet> (*)(const std::filesystem::path& weights, const std::string& resize);
std::span<const Entry<LoadFeatureNet>> feature_nets();

// The network used when none is named: inception-fid if its weights are there, else efficientnet-lite0.
std::string default_feature_net();

}  // namespace uvic
