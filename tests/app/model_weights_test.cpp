#include "app/model/model_weights.h"

#include <gtest/gtest.h>

#include "tests/random_model.h"
#include "tests/temporary.h"

namespace uvic::model_weights_test {
namespace {

Parameters network() {
  return {{"a", at::zeros({2}), Role::kBias}, {"b", at::zeros({2, 2}), Role::kMatrix}};
}

// What becomes of a network that begins with these tensors.
TensorMap begun(const TensorMap& tensors, const std::string& allow) {
  const Parameters net = network();
  begin_with(net, tensors, {.file = "f", .allow = allow}, "f.safetensors");
  return to_map(net);
}

const TensorMap kWhole{{"a", at::ones({2})}, {"b", at::ones({2, 2})}};
const TensorMap kLacking{{"a", at::ones({2})}};
const TensorMap kMore{{"a", at::ones({2})}, {"b", at::ones({2, 2})}, {"c", at::ones({1})}};
const TensorMap kMisshapen{{"a", at::ones({2})}, {"b", at::ones({3, 2})}};

TEST(BeginWith, IsStrictUnlessAllowed) {
  for (const char* allow : {"", "new", "missing", "new,missing"})
    EXPECT_TRUE(at::equal(begun(kWhole, allow).at("b"), at::ones({2, 2})));
  const auto error = [](const TensorMap& tensors, const std::string& allow) {
    return error_of([&] { begun(tensors, allow); });
  };
  for (const char* allow : {"", "missing"})
    expect_mentions(error(kLacking, allow), {"f.safetensors", "missing: b", "--init.allow", "'new'"});
  for (const char* allow : {"", "new"})
    expect_mentions(error(kMore, allow), {"f.safetensors", "unexpected: c", "--init.allow", "'missing'"});
  for (const char* allow : {"", "new", "missing"})
    expect_mentions(error(kMisshapen, allow), {"b is [3, 2], not [2, 2]", "new,missing"});
}

TEST(BeginWith, TakesWhatThereIs) {
  const TensorMap lacking = begun(kLacking, "new"), more = begun(kMore, "missing"),
                  misshapen = begun(kMisshapen, "new,missing");
  EXPECT_TRUE(at::equal(lacking.at("a"), at::ones({2})));
  EXPECT_TRUE(at::equal(lacking.at("b"), at::zeros({2, 2})));
  EXPECT_TRUE(at::equal(more.at("b"), at::ones({2, 2})));
  EXPECT_TRUE(at::equal(misshapen.at("a"), at::ones({2})));
  EXPECT_TRUE(at::equal(misshapen.at("b"), at::zeros({2, 2})));
  expect_mentions(error_of([] {
                    begun({{"a", at::full({2}, NAN)}, {"b", at::ones({2, 2})}}, "");
                  }),
                  {"a", "non-finite"});
}

TEST(BeginWith, SaysWhatIsAllowed) {
  EXPECT_FALSE(parse_allowed("").fresh || parse_allowed("").missing);
  EXPECT_TRUE(parse_allowed("new").fresh && !parse_allowed("new").missing);
  EXPECT_TRUE(parse_allowed("missing,new").fresh && parse_allowed("missing,new").missing);
  for (const char* wrong : {"all", "new missing", ",", "news"})
    expect_mentions(error_of([&] { parse_allowed(wrong); }), {wrong, "new,missing"});
}

TEST(ExpectClasses, KeepsATableForItsOwnNamesAlone) {
  const auto weights = [] {
    ModelWeights weights{.file = "f", .sha256 = "", .tensors = {{"label_emb.weight", at::ones({3, 2})}}, .card = {}};
    weights.card = ModelCard{.config = {}, .step = 0, .classes = {"cat", "dog"}, .vocabulary = {}};
    return weights;
  };
  const auto left = [&](const std::vector<std::string>& classes, const std::string& allow) {
    ModelWeights some = weights();
    expect_classes(some, classes, {.file = "f", .allow = allow});
    return some.tensors.size();
  };
  EXPECT_EQ(left({"cat", "dog"}, ""), 1u);
  EXPECT_EQ(left({}, ""), 1u);
  EXPECT_EQ(left({"cat", "cow"}, "new,missing"), 0u);
  for (const char* allow : {"", "new", "missing"})
    expect_mentions(error_of([&] { left({"cat", "cow"}, allow); }), {"cat cow", "cat dog", "new,missing"});
}

// A model, and a run's adapters on it.
class AdaptedModel : public ::testing::Test {
 protected:
  AdaptedModel() {
    write_safetensors(base_, {to_map(model_.net.parameters()), model_.card.to_metadata()});
    card_ = model_.card;
    card_.config.lora = {.rank = 2, .alpha = 1};
    card_.config.init.file = base_;
    card_.init_sha256 = sha256_of_file(base_);
    adapters_ = to_map(Adapters(model_.net.parameters(), card_.config.lora, 9, MatrixLayout::kOutIn).parameters());
    for (auto& entry : adapters_) entry.second.fill_(0.1);
    write();
  }
  void write() const { write_safetensors(file_, {adapters_, card_.to_metadata()}); }

  TemporaryFolder folder_;
  fs::path base_ = folder_ / "base.safetensors", file_ = folder_ / "adapters.safetensors";
  Model model_ = random_model(false);
  ModelCard card_;
  TensorMap adapters_;
};

TEST_F(AdaptedModel, IsItsBaseAndWhatWasLearned) {
  const ModelWeights whole = read_model_weights(file_);
  EXPECT_TRUE(whole.adapted);
  const std::string matrix = "mid_block.attn.proj.weight";
  const Tensor before = to_map(model_.net.parameters()).at(matrix);
  EXPECT_TRUE(at::allclose(whole.tensors.at(matrix), before + 0.01));  // 2 x 0.1 x 0.1 alpha / rank
  EXPECT_TRUE(at::equal(whole.tensors.at("pos_embed"), to_map(model_.net.parameters()).at("pos_embed")));
  const Model loaded = load_model(file_, at::kCPU);
  EXPECT_TRUE(at::equal(to_map(loaded.net.parameters()).at(matrix), whole.tensors.at(matrix)));
  EXPECT_TRUE(sha256_of_file(file_).starts_with(loaded.hash));
}

TEST_F(AdaptedModel, FindsItsBaseWhereItIsNow) {
  const fs::path moved = folder_ / "elsewhere.safetensors";
  fs::rename(base_, moved);
  expect_mentions(error_of([&] { read_model_weights(file_); }),
                  {"adapters.safetensors", base_.string(), "not there", "--base", card_.init_sha256});
  EXPECT_TRUE(read_model_weights(file_, moved).adapted);
  write_safetensors(base_, {to_map(random_model(false).net.parameters()), {}});
  expect_mentions(error_of([&] { read_model_weights(file_); }),
                  {card_.init_sha256, base_.string(), "is not", "--base"});
  expect_mentions(error_of([&] { read_model_weights(moved, base_); }), {"leave out --base"});
}

TEST_F(AdaptedModel, LacksNothing) {
  adapters_.erase(adapters_.begin());
  write();
  expect_mentions(error_of([&] { read_model_weights(file_); }), {"adapters.safetensors", "missing", "lora_A"});
}

}  // namespace
}  // namespace uvic::model_weights_test
