// The memory of a decoder against other ways to the same numbers: one attention over everything, and finite
// differences.
#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "lm/memory.h"
#include "tests/lm/small_cogformer.h"

namespace uvic::memory_oracle_test {
namespace {

constexpr int64_t kBlock = 4, kSegments = 1, kFam = 3, kBlocks = 5, kDim = 32;

CogformerLayer random_layer(const std::string& kind) {
  at::Generator generator = make_generator(3, Stream::kInit);
  const auto draw = [&](int64_t rows, int64_t columns) {
    return at::randn({rows, columns}, generator, at::kDouble) / std::sqrt(static_cast<double>(rows));
  };
  const RmsNorm norm{at::rand({kDim}, generator, at::kDouble) + 0.5, 1e-6};
  return {.qw = draw(kDim, 32) * 2,
          .kw = draw(kDim, 32) * 2,
          .vw = draw(kDim, 32),
          .ow = draw(32, kDim),
          .gw = draw(kDim, 48),
          .pw = draw(kDim, 48),
          .ffn_ow = draw(48, kDim),
          .attention_norm = norm,
          .ffn_norm = norm,
          .kind = &find(attention_kinds(), kind, "attention kind").value,
          .head_dim = 16};
}

// sign(P) softmax(|P|), or softmax(P), over what `seen` [queries, keys] leaves.
Tensor weigh(const Tensor& scores, const Tensor& seen, bool cog) {
  const Tensor hidden = seen.logical_not();
  const double none = -std::numeric_limits<double>::infinity();
  if (!cog) return at::softmax(scores.masked_fill(hidden, none), -1);
  return at::softmax(scores.abs().masked_fill(hidden, none), -1) * scores.sign();
}

// With the memories as they are, one attention over all of them and all tokens, at their absolute positions, gives
// every output and every next memory.
TEST(MemoryOracle, OneMaskedAttentionGivesAllBlocks) {
  const at::NoGradGuard no_grad;
  for (const std::string kind : {"softmax", "cog"}) {
    const CogformerLayer layer = random_layer(kind);
    at::Generator generator = make_generator(5, Stream::kInit);
    const Tensor x = at::randn({2, kBlocks * kBlock, kDim}, generator, at::kDouble);
    LayerMemory memory{.fam = at::randn({2, kFam, kDim}, generator, at::kDouble), .keys = {}, .values = {}};
    const MemoryConfig config{.block = kBlock, .segments = kSegments, .fam_length = kFam};
    std::vector<Tensor> memories{memory.fam}, outputs;
    for (int64_t b = 0; b < kBlocks; ++b) {
      const int64_t kept = std::min(b, kSegments) * kBlock;
      const MemoryPlaces places = memory_places(config, kept, 0, kBlock, kFam, 16, x.options());
      outputs.push_back(attend_with_memory(layer, config, x.narrow(1, b * kBlock, kBlock), places, memory));
      memories.push_back(memory.fam);
    }

    // Rows: the memory that each block finds, one after the other, then all tokens.
    const int64_t fams = kBlocks * kFam, tokens = kBlocks * kBlock;
    std::vector<Tensor> found(memories.begin(), memories.end() - 1);
    const Tensor rows = at::cat({at::cat(found, 1), x}, 1), y = layer.attention_norm(rows);
    const Rotation all = rotation(-kFam, kFam + tokens, 16, x.options());  // position p is row p + kFam
    std::vector<Tensor> queries, keys;
    const auto turned = [&](const Tensor& w, int64_t row, int64_t count, int64_t position) {
      return rotate(layer.heads(y.narrow(1, row, count), w), all.narrow(position + kFam, count));
    };
    for (int64_t b = 0; b < kBlocks; ++b) {
      queries.push_back(turned(layer.qw, b * kFam, kFam, (b + 1) * kBlock - kFam));
      keys.push_back(turned(layer.kw, b * kFam, kFam, b * kBlock - kFam));
    }
    queries.push_back(turned(layer.qw, fams, tokens, 0));
    keys.push_back(turned(layer.kw, fams, tokens, 0));
    const Tensor seen = at::zeros({fams + tokens, fams + tokens}, at::kBool);
    for (int64_t b = 0; b < kBlocks; ++b) {
      const int64_t own = fams + b * kBlock;
      seen.narrow(0, b * kFam, kFam).narrow(1, b * kFam, kFam).fill_(true);
      seen.narrow(0, b * kFam, kFam).narrow(1, own, kBlock).fill_(true);
      seen.narrow(0, own, kBlock).narrow(1, b * kFam, kFam).fill_(true);
      const int64_t before = std::min(b, kSegments) * kBlock;
      for (int64_t i = 0; i < kBlock; ++i) seen[own + i].narrow(0, own - before, before + i + 1).fill_(true);
    }
    const auto by_head = [](const std::vector<Tensor>& parts) { return at::cat(parts, 1).transpose(1, 2); };
    const Tensor scores = at::matmul(by_head(queries), by_head(keys).transpose(2, 3)) / 4.0;
    const Tensor mixed = at::matmul(weigh(scores, seen, kind == "cog"), by_head({layer.heads(y, layer.vw)}));
    const Tensor seen_rows = at::matmul(mixed.transpose(1, 2).flatten(2), layer.ow);
    const Tensor out = layer.feed_forward(x + seen_rows.narrow(1, fams, tokens));
    EXPECT_TRUE(at::allclose(out, at::cat(outputs, 1), 1e-10, 1e-11)) << kind;
    for (int64_t b = 0; b < kBlocks; ++b) {
      const Tensor attended = seen_rows.narrow(1, b * kFam, kFam);
      const Tensor next = layer.feed_forward(b == 0 ? attended : memories[b] + attended);
      EXPECT_TRUE(at::allclose(next, memories[b + 1], 1e-10, 1e-11)) << kind << ' ' << b;
    }
  }
}

TEST(MemoryOracle, GradientsAreThoseOfFiniteDifferences) {
  for (const auto& [segments, fam_length] : {std::pair(0, 3), {1, 2}, {2, 0}}) {
    CogformerConfig config = small_cogformer();
    config.memory = {.block = kBlock, .segments = segments, .fam_length = fam_length};
    Cogformer net = random_cogformer(config);
    net.to(at::kCPU, at::kDouble);
    const Tensor tokens = some_tokens(14);
    const auto loss = [&] {
      Cogformer::State state = net.begin(2);
      return next_token_loss(net.whole(tokens, state), tokens);
    };
    for (const Parameter& p : net.parameters()) p.tensor.set_requires_grad(true);
    loss().backward();
    const at::NoGradGuard no_grad;
    for (const char* name : {"fam_embedding", "embedding.weight", "layers.1.attention.qw", "layers.1.attention.kw",
                             "layers.0.attention.vw", "layers.1.ffn.shared_experts.0.gw", "layers.2.ffn_norm.weight"})
      for (const Parameter& p : net.parameters()) {
        if (p.name != name) continue;
        const Tensor flat = p.tensor.detach().view(-1), gradient = p.tensor.grad().view(-1);
        for (const int64_t place : {int64_t{1}, flat.numel() / 2}) {
          constexpr double kStep = 1e-5;
          const double before = flat[place].item<double>();
          flat[place] = before + kStep;
          const double above = loss().item<double>();
          flat[place] = before - kStep;
          const double below = loss().item<double>();
          flat[place] = before;
          EXPECT_NEAR(gradient[place].item<double>(), (above - below) / (2 * kStep), 1e-8) << name << ' ' << place;
        }
      }
  }
}

}  // namespace
}  // namespace uvic::memory_oracle_test
