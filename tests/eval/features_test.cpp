#include "eval/features.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "core/files.h"
#include "core/pickle/pth.h"
#include "eval/efficientnet.h"
#include "eval/inception.h"
#include "eval/inception_input.h"
#include "eval/scoring.h"
#include "tests/eval/inception_weights.h"
#include "tests/temporary.h"

namespace uvic::features_test {
namespace {

const fs::path kData = fs::path(UVIC_TEST_DATA) / "eval";
constexpr uint64_t kBase = 0x1234abcd;  // of the known answers in data/eval/inception.safetensors

struct Layer {
  std::string pytorch, tensorflow;
  std::vector<int64_t> shape;
};

std::vector<Layer> inception_layers() {
  std::vector<Layer> layers;
  std::istringstream lines(read_file(kData / "inception_layers.txt", "test data"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    Layer layer{"", "", std::vector<int64_t>(4)};
    words >> layer.pytorch >> layer.tensorflow;
    for (int64_t& side : layer.shape) words >> side;
    layers.push_back(layer);
  }
  return layers;
}

// Keys and shapes of pytorch-fid's state dict.
std::map<std::string, std::vector<int64_t>> inception_shapes() {
  std::map<std::string, std::vector<int64_t>> shapes = {{"fc.weight", {1008, 2048}}, {"fc.bias", {1008}}};
  for (const Layer& layer : inception_layers()) {
    shapes[layer.pytorch + ".conv.weight"] = layer.shape;
    for (const char* name : {"weight", "bias", "running_mean", "running_var"})
      shapes[layer.pytorch + ".bn." + name] = {layer.shape[0]};
  }
  return shapes;
}

const TensorMap& formula_weights() {
  static const TensorMap weights = [] {
    TensorMap filled;
    uint64_t index = 0;
    for (const auto& [name, shape] : inception_shapes()) filled[name] = formula_tensor(name, index++, shape, kBase);
    return filled;
  }();
  return weights;
}

double relmax(const Tensor& got, const Tensor& want) {
  if (got.sizes() != want.sizes()) return INFINITY;
  return ((got - want).abs().max() / want.abs().max()).item<double>();
}

// A cache folder of this test's own.
class EmptyCache : public testing::Test {
 protected:
  EmptyCache() {
    if (const char* set = std::getenv("UVIC_CACHE")) before_ = set;
    setenv("UVIC_CACHE", folder_.path().c_str(), 1);
  }
  ~EmptyCache() override { before_.empty() ? unsetenv("UVIC_CACHE") : setenv("UVIC_CACHE", before_.c_str(), 1); }

  const TemporaryFolder folder_;
  std::string before_;
};

TEST_F(EmptyCache, MissingWeightsSayWhatToDo) {
  const auto load = [](std::string_view name) {
    return error_of([&] { find(feature_nets(), name, "feature network").value({}, ""); });
  };
  const std::string inception = load("inception-fid");
  for (const char* part : {"pt_inception-2015-12-05-6726825d.pth", "6726825d0af5f729",
                           "https://github.com/mseitzer/pytorch-fid/releases", "--features efficientnet-lite0"})
    expect_mentions(inception, {part});
  expect_mentions(inception, {folder_.path().string()});
  const std::string efficientnet = load("efficientnet-lite0");
  for (const char* part : {"efficientnet-lite0-57934424.pth", "579344248a93e230", "scripts/setup"})
    expect_mentions(efficientnet, {part});
}

TEST_F(EmptyCache, DefaultNetworkFollowsTheWeights) {
  EXPECT_EQ(default_feature_net(), "efficientnet-lite0");
  folder_.put("weights/pt_inception-2015-12-05-6726825d.pth", "x");
  EXPECT_EQ(default_feature_net(), "inception-fid");
}

TEST_F(EmptyCache, OtherInceptionWeightsAreNotCalledFid) {
  const fs::path file = folder_ / "filled.safetensors";
  write_safetensors(file, {formula_weights(), {}});
  const auto net = find(feature_nets(), "inception-fid", "feature network").value(file, "");
  EXPECT_EQ(net->weights_sha256(), sha256_of_file(file).substr(0, 8));
  EXPECT_EQ(net->dims(), 2048);

  // Its own preprocessing, in pieces: the same as the network by hand.
  const TensorMap known = read_safetensors(kData / "inception.safetensors").tensors;
  const Tensor image = known.at("in.image").permute({0, 3, 1, 2});
  const Tensor features = net->features(image.repeat({2, 1, 1, 1}));
  EXPECT_EQ(features.scalar_type(), at::kFloat);
  EXPECT_LE(relmax(features, known.at("out.pool2048").repeat({2, 1})), 1e-5);
  EXPECT_EQ(net->resize(), "pytorch-fid");
  const Activations all =
      find(feature_nets(), "inception-fid", "feature network").value(file, "tf")->activations(image.unbind());
  EXPECT_EQ(all.logits.size(1), 1008);
  EXPECT_EQ(all.spatial.size(1), 7 * 17 * 17);
  EXPECT_GT(relmax(all.features, known.at("out.pool2048")), 1e-4);  // another resize, other features
}

TEST(Registry, OnlyPublishedWeightsGiveTheirLabel) {
  EXPECT_EQ(distance_label("inception-fid", "6726825d"), "FID");
  EXPECT_EQ(distance_label("inception-fid", "f58cb9b6"), "FID");
  EXPECT_EQ(distance_label("efficientnet-lite0", "57934424"), "FD(efficientnet-lite0)");
  EXPECT_EQ(distance_label("efficientnet-lite0", "6726825d"), "FD(efficientnet-lite0, weights 6726825d)");
  EXPECT_EQ(distance_label("inception-fid", "1a2b3c4d"), "FD(inception-fid, weights 1a2b3c4d)");
}

TEST(Registry, NamesAndUnknownNetwork) {
  for (const auto& row : feature_nets())
    expect_mentions(error_of([] { find(feature_nets(), "fid", "feature network"); }), {"'fid'", row.name});
}

TEST(Inception, KnownAnswers) {
  const at::NoGradGuard no_grad;
  const TensorMap known = read_safetensors(kData / "inception.safetensors").tensors;
  const Inception net(formula_weights(), "formula");
  const Tensor x = Inception::resize(known.at("in.image").permute({0, 3, 1, 2})) * 2 - 1;
  const auto pools = net.pools(x);
  const char* kNames[] = {"out.pool64", "out.pool192", "out.pool768", "out.pool2048"};
  for (size_t i = 0; i < pools.size(); ++i) EXPECT_LE(relmax(pools[i], known.at(kNames[i])), 1e-5) << kNames[i];
  EXPECT_LE(relmax(net.logits(pools[3], true), known.at("out.logits")), 1e-5);
}

TEST(Inception, RefusesWeightsThatDoNotFit) {
  const auto error = [](const std::function<void(TensorMap&)>& change) {
    TensorMap weights = formula_weights();
    change(weights);
    return error_of([&] { Inception(weights, "my.pth"); });
  };
  const std::string missing = error([](TensorMap& w) { w.erase("Conv2d_2b_3x3.bn.running_var"); });
  expect_mentions(missing, {"my.pth: no tensor 'Conv2d_2b_3x3.bn.running_var'"});
  const std::string extra = error([](TensorMap& w) { w["AuxLogits.fc.bias"] = at::zeros({1000}); });
  expect_mentions(extra, {"my.pth: 1 tensors that this network does not have, the first is 'AuxLogits.fc.bias'"});
}

TEST(Inception, TakesTheTensorFlowNames) {
  TensorMap graph = {{"output.weight", formula_weights().at("fc.weight")},
                     {"output.bias", formula_weights().at("fc.bias")}};
  for (const Layer& layer : inception_layers()) {
    graph["layers." + layer.tensorflow + ".weight"] = formula_weights().at(layer.pytorch + ".conv.weight");
    graph["layers." + layer.tensorflow + ".beta"] = formula_weights().at(layer.pytorch + ".bn.bias");
    graph["layers." + layer.tensorflow + ".mean"] = formula_weights().at(layer.pytorch + ".bn.running_mean");
    graph["layers." + layer.tensorflow + ".var"] = formula_weights().at(layer.pytorch + ".bn.running_var");
  }
  const TensorMap mapped = pytorch_fid_names(graph);
  const auto shapes = inception_shapes();
  EXPECT_EQ(mapped.size(), shapes.size());
  for (const auto& [name, shape] : shapes) {
    ASSERT_TRUE(mapped.count(name)) << name;
    const Tensor want = name.ends_with(".bn.weight") ? at::ones(shape) : formula_weights().at(name);
    EXPECT_TRUE(mapped.at(name).equal(want)) << name;
  }
  // Names that already are pytorch-fid's are left alone.
  EXPECT_EQ(pytorch_fid_names(formula_weights()).size(), formula_weights().size());
}

TEST(WeightsReader, ErrorsNameTheFileAndTheTensor) {
  const auto take = [](const Tensor& tensor) { WeightsReader({{"fc.bias", tensor}}, "my.pth").take("fc.bias", {3}); };
  const auto error = [&](const Tensor& tensor) { return error_of([&] { take(tensor); }); };
  EXPECT_NO_THROW(take(at::zeros({3})));
  EXPECT_NO_THROW(take(at::zeros({3}, at::kHalf)));
  expect_mentions(error(at::zeros({3, 1})), {"my.pth: tensor 'fc.bias' has shape [3, 1], expected [3]"});
  expect_mentions(error(at::full({3}, NAN)), {"my.pth: tensor 'fc.bias' holds a non-finite number"});
  expect_mentions(error(at::zeros({3}, at::kLong)),
                  {"my.pth: tensor 'fc.bias' holds Long, expected floating-point numbers"});
}

TEST(WeightsReader, FoldsTheBatchNorm) {
  at::Generator generator = at::detail::createCPUGenerator(1);
  const Tensor weight = at::randn({4, 3, 3, 3}, generator), gamma = at::randn({4}, generator);
  const Tensor beta = at::randn({4}, generator), mean = at::randn({4}, generator), var = at::rand({4}, generator);
  WeightsReader reader({{"c.weight", weight},
                        {"n.weight", gamma},
                        {"n.bias", beta},
                        {"n.running_mean", mean},
                        {"n.running_var", var},
                        {"n.num_batches_tracked", at::zeros({}, at::kLong)}},
                       "test");
  const Conv conv = reader.take_conv("c", "n", {4, 3, {3, 3}, {2, 2}, {1, 1}});
  reader.finish();
  const Tensor x = at::randn({2, 3, 9, 9}, generator);
  const Tensor want = at::batch_norm(at::conv2d(x, weight, {}, {2, 2}, {1, 1}), gamma, beta, mean, var, false, 0, 1e-3,
                                     /*cudnn_enabled=*/false);
  EXPECT_LE(relmax(conv(x), want), 1e-6);
}

// The published weights, where scripts/setup has put them.
TEST(EfficientNet, KnownAnswers) {
  const fs::path file = cache_folder() / "weights" / "efficientnet-lite0-57934424.pth";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not there; scripts/setup installs it";
  const auto net = find(feature_nets(), "efficientnet-lite0", "feature network").value({}, "");
  EXPECT_EQ(net->weights_sha256(), "57934424");
  EXPECT_EQ(net->dims(), 1280);
  const TensorMap known = read_safetensors(kData / "efficientnet.safetensors").tensors;
  const Tensor images = known.at("in.image").repeat({17, 1, 1, 1});
  EXPECT_LE(relmax(net->features(images), known.at("out.features").repeat({17, 1})), 2e-5);
  EXPECT_EQ(net->features(images.narrow(0, 0, 0)).size(0), 0);

  TensorMap weights = read_weights(file).tensors;
  const EfficientNetLite0 direct(weights, "lite0");
  EXPECT_LE(relmax(direct.logits(known.at("out.features")), known.at("out.logits")), 2e-5);
  weights.erase("_blocks.15._project_conv.weight");
  expect_mentions(error_of([&] { EfficientNetLite0(weights, "lite0.pth"); }),
                  {"lite0.pth: no tensor '_blocks.15._project_conv.weight'"});
}

// A ramp over the columns shows where each mode takes output pixel i from: scaled to 0 - 255, and with the edges apart.
TEST(ResizeModes, TakePixelsFromWhereTheirProgramsDo) {
  const Tensor ramp = (at::arange(64) * 4).to(at::kByte).expand({1, 3, 10, 64});
  const Tensor i = at::arange(299).to(at::kDouble);
  const auto row = [&](const char* mode) {
    const Tensor x = find(resize_modes(), mode, "mode").value(ramp);
    EXPECT_EQ(x.sizes(), (std::vector<int64_t>{1, 3, 299, 299}));
    EXPECT_EQ(x.scalar_type(), at::kFloat);
    EXPECT_LT((x[0][0][0] - x[0][2][298]).abs().max().item<float>(), 1e-6);
    return x[0][1][150].to(at::kDouble);
  };
  const Tensor centred = ((i + 0.5) * 64 / 299 - 0.5).clamp(0, 63) * 4, corner = (i * 64 / 299).clamp_max(63) * 4;
  EXPECT_LT((row("pytorch-fid") - (centred / 127.5 - 1)).abs().max().item<double>(), 1e-5);
  EXPECT_LT((row("tf") - (corner - 128) / 128).abs().max().item<double>(), 1e-5);
  const Tensor away = (row("clean") - (centred - 128) / 128).slice(0, 20, 279);  // a cubic keeps a ramp but at its ends
  EXPECT_LT(away.abs().max().item<double>(), 1e-4);
  const Tensor large = at::full({1, 3, 400, 500}, 200, at::kByte);
  for (const auto& mode : resize_modes()) {
    const double white = std::string_view(mode.name) == "pytorch-fid" ? 200 / 127.5 - 1 : (200.0 - 128) / 128;
    EXPECT_LT((mode.value(large) - white).abs().max().item<float>(), 1e-5) << mode.name;
  }
}

TEST(ResizeModes, AreRefusedByANetworkThatHasOne) {
  const auto& net = find(feature_nets(), "efficientnet-lite0", "feature network");
  expect_mentions(error_of([&] { net.value({}, "clean"); }), {"clean", "--resize", "inception-fid"});
}

// Features that can be computed by hand: the mean of each channel.
class ChannelMeans : public FeatureNet {
 public:
  Activations activations(const std::vector<Tensor>& images) const override {
    return {at::stack(images).to(at::kFloat).mean({2, 3}), {}, {}};
  }
  bool has_logits() const override { return false; }
  bool has_spatial() const override { return false; }
  std::string resize() const override { return ""; }
  int64_t dims() const override { return 3; }
  std::string name() const override { return "means"; }
  std::string weights_sha256() const override { return "00000000"; }
};

TEST(Scoring, StatisticsOfOtherNetworksAreRefused) {
  const ChannelMeans net;
  const auto error = [&](int64_t dims, const std::map<std::string, std::string>& notes) {
    return error_of([&] { check_comparable("ref.npz", dims, notes, net); });
  };
  EXPECT_NO_THROW(check_comparable("ref.npz", 3, notes_of(net), net));
  EXPECT_NO_THROW(check_comparable("ref.npz", 3, {}, net));
  expect_mentions(error(3, {{"features", "inception-fid"}}), {"ref.npz: computed with features 'inception-fid'"});
  expect_mentions(error(3, {{"weights", "12345678"}}), {"weights '12345678'"});
  expect_mentions(error(2048, {}), {"2048 features, but means has 3"});
}

}  // namespace
}  // namespace uvic::features_test
