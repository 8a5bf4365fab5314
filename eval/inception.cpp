#include "eval/inception.h"

#include "eval/inception_input.h"

namespace uvic {
namespace {

constexpr int64_t kInceptionClasses = 1008, kInceptionFeatures = 2048;
constexpr size_t kMixed6d = 6, kMixed6e = 7;  // positions among the mixed blocks
constexpr int64_t kSpatialChannels = 7;

Tensor spatial_mean(const Tensor& x) {
  return x.mean({2, 3});
}

// One convolution of a branch: its name inside the block, output channels, kernel, stride. Those with stride 1 keep the
// size, those with stride 2 have no padding.
struct Link {
  const char* name;
  int64_t out;
  Pair kernel = {1, 1};
  int64_t stride = 1;
};

class BlockReader {
 public:
  BlockReader(WeightsReader& reader, std::string block, int64_t in)
      : reader_(reader), block_(std::move(block)), in_(in) {}

  std::vector<Conv> chain(const std::vector<Link>& links) const {
    std::vector<Conv> convs;
    int64_t in = in_;
    for (const Link& link : links) {
      convs.push_back(conv(link, in));
      in = link.out;
    }
    return convs;
  }

  std::vector<Conv> side_by_side(int64_t in, const std::vector<Link>& links) const {
    std::vector<Conv> convs;
    for (const Link& link : links) convs.push_back(conv(link, in));
    return convs;
  }

 private:
  Conv conv(const Link& link, int64_t in) const {
    const Pair padding = link.stride == 1 ? Pair{link.kernel[0] / 2, link.kernel[1] / 2} : Pair{0, 0};
    const std::string name = block_ + ".branch" + link.name;
    return reader_.take_conv(name + ".conv", name + ".bn",
                             {link.out, in, link.kernel, {link.stride, link.stride}, padding});
  }

  WeightsReader& reader_;
  std::string block_;
  int64_t in_;
};

}  // namespace

Inception::Inception(TensorMap weights, const std::string& file) {
  WeightsReader reader(std::move(weights), file);
  const auto stem = [&](const std::string& name, ConvShape shape) {
    stem_.push_back(reader.take_conv(name + ".conv", name + ".bn", shape));
  };
  stem("Conv2d_1a_3x3", {32, 3, {3, 3}, {2, 2}});
  stem("Conv2d_2a_3x3", {32, 32, {3, 3}});
  stem("Conv2d_2b_3x3", {64, 32, {3, 3}, {1, 1}, {1, 1}});
  stem("Conv2d_3b_1x1", {80, 64, {1, 1}});
  stem("Conv2d_4a_3x3", {192, 80, {3, 3}});
  build_mixed(reader);
  fc_ = reader.take_linear("fc", kInceptionFeatures, kInceptionClasses);
  reader.finish();
}

// Szegedy et al., arXiv 1512.00567, figures 5 to 7 and 10.
void Inception::build_mixed(WeightsReader& reader) {
  constexpr Pair k1x7 = {1, 7}, k7x1 = {7, 1}, k3x3 = {3, 3}, k1x3 = {1, 3}, k3x1 = {3, 1};
  const auto grid35 = [&](const std::string& name, int64_t in, int64_t pool) {
    const BlockReader read(reader, name, in);
    mixed_.push_back({{Pool::kNone, read.chain({{"1x1", 64}}), {}},
                      {Pool::kNone, read.chain({{"5x5_1", 48}, {"5x5_2", 64, {5, 5}}}), {}},
                      {Pool::kNone, read.chain({{"3x3dbl_1", 64}, {"3x3dbl_2", 96, k3x3}, {"3x3dbl_3", 96, k3x3}}), {}},
                      {Pool::kAverage, read.chain({{"_pool", pool}}), {}}});
  };
  const auto grid17 = [&](const std::string& name, int64_t c) {
    const BlockReader read(reader, name, 768);
    mixed_.push_back({{Pool::kNone, read.chain({{"1x1", 192}}), {}},
                      {Pool::kNone, read.chain({{"7x7_1", c}, {"7x7_2", c, k1x7}, {"7x7_3", 192, k7x1}}), {}},
                      {Pool::kNone,
                       read.chain({{"7x7dbl_1", c},
                                   {"7x7dbl_2", c, k7x1},
                                   {"7x7dbl_3", c, k1x7},
                                   {"7x7dbl_4", c, k7x1},
                                   {"7x7dbl_5", 192, k1x7}}),
                       {}},
                      {Pool::kAverage, read.chain({{"_pool", 192}}), {}}});
  };
  const auto grid8 = [&](const std::string& name, int64_t in, Pool pool) {
    const BlockReader read(reader, name, in);
    mixed_.push_back({{Pool::kNone, read.chain({{"1x1", 320}}), {}},
                      {Pool::kNone, read.chain({{"3x3_1", 384}}),
                       read.side_by_side(384, {{"3x3_2a", 384, k1x3}, {"3x3_2b", 384, k3x1}})},
                      {Pool::kNone, read.chain({{"3x3dbl_1", 448}, {"3x3dbl_2", 384, k3x3}}),
                       read.side_by_side(384, {{"3x3dbl_3a", 384, k1x3}, {"3x3dbl_3b", 384, k3x1}})},
                      {pool, read.chain({{"_pool", 192}}), {}}});
  };

  grid35("Mixed_5b", 192, 32);
  grid35("Mixed_5c", 256, 64);
  grid35("Mixed_5d", 288, 64);
  const BlockReader to17(reader, "Mixed_6a", 288);
  mixed_.push_back(
      {{Pool::kNone, to17.chain({{"3x3", 384, k3x3, 2}}), {}},
       {Pool::kNone, to17.chain({{"3x3dbl_1", 64}, {"3x3dbl_2", 96, k3x3}, {"3x3dbl_3", 96, k3x3, 2}}), {}},
       {Pool::kHalve, {}, {}}});
  grid17("Mixed_6b", 128);
  grid17("Mixed_6c", 160);
  grid17("Mixed_6d", 160);
  grid17("Mixed_6e", 192);
  const BlockReader to8(reader, "Mixed_7a", 768);
  mixed_.push_back(
      {{Pool::kNone, to8.chain({{"3x3_1", 192}, {"3x3_2", 320, k3x3, 2}}), {}},
       {Pool::kNone,
        to8.chain({{"7x7x3_1", 192}, {"7x7x3_2", 192, k1x7}, {"7x7x3_3", 192, k7x1}, {"7x7x3_4", 192, k3x3, 2}}),
        {}},
       {Pool::kHalve, {}, {}}});
  grid8("Mixed_7b", 1280, Pool::kAverage);
  grid8("Mixed_7c", 2048, Pool::kMax);  // the 2015 graph pools with a maximum here and only here
}

Tensor Inception::pooled(const Tensor& x, Pool pool) {
  switch (pool) {
    case Pool::kAverage:  // the border is divided by the number of pixels, as TensorFlow does
      return at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}, /*ceil_mode=*/false, /*count_include_pad=*/false);
    case Pool::kMax:
      return at::max_pool2d(x, {3, 3}, {1, 1}, {1, 1});
    case Pool::kHalve:
      return at::max_pool2d(x, {3, 3}, {2, 2});
    case Pool::kNone:
      break;
  }
  return x;
}

Tensor Inception::run(const Block& block, const Tensor& x) {
  std::vector<Tensor> outputs;
  for (const Branch& branch : block) {
    Tensor y = pooled(x, branch.pool);
    for (const Conv& conv : branch.chain) y = conv(y).relu_();
    for (const Conv& conv : branch.fork) outputs.push_back(conv(y).relu_());
    if (branch.fork.empty()) outputs.push_back(y);
  }
  return at::cat(outputs, 1);
}

Tensor Inception::resize(const Tensor& images) {
  return resize_bilinear(images.to(at::kFloat).div_(255), kInceptionSize, kInceptionSize, /*centred=*/true);
}

std::array<Tensor, 4> Inception::pools(const Tensor& input, Tensor* spatial) const {
  std::array<Tensor, 4> means;
  Tensor x = input.contiguous(at::MemoryFormat::ChannelsLast);
  for (size_t i = 0; i < stem_.size(); ++i) {
    x = stem_[i](x).relu_();
    if (i != 2 && i != 4) continue;
    x = pooled(x, Pool::kHalve);
    means[i == 2 ? 0 : 1] = spatial_mean(x);
  }
  for (size_t i = 0; i < mixed_.size(); ++i) {
    x = run(mixed_[i], x);
    if (i == kMixed6d && spatial) *spatial = x.narrow(1, 0, kSpatialChannels).flatten(1).contiguous();
    if (i == kMixed6e) means[2] = spatial_mean(x);
  }
  means[3] = spatial_mean(x);
  return means;
}

Tensor Inception::logits(const Tensor& pool, bool with_bias) const {
  return with_bias ? fc_(pool) : at::linear(pool, fc_.weight);
}

}  // namespace uvic
