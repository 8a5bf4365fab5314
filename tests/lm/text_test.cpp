// Packing, the choice of the next token, perplexity, and passkey texts.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "core/random.h"
#include "lm/config.h"
#include "lm/diagnosis.h"
#include "lm/generator.h"
#include "lm/next_token.h"
#include "lm/packed_text.h"
#include "lm/passkey.h"
#include "lm/perplexity.h"
#include "lm/reader.h"
#include "tests/lm/small_cogformer.h"
#include "tests/temporary.h"

namespace uvic::text_test {
namespace {

TEST(PackedText, AnEpochHasEveryTokenOfEveryDocumentInOrder) {
  std::vector<std::vector<int32_t>> documents;
  int32_t next = 0;
  for (const int length : {3, 1, 7, 2, 12, 5}) {
    documents.emplace_back();
    for (int i = 0; i < length; ++i) documents.back().push_back(next++);
  }
  const PackedText text(documents, 5, 9);
  ASSERT_EQ(text.rows_per_epoch(), 6);
  std::set<std::vector<int64_t>> orders;
  for (const int64_t epoch : {0, 1}) {
    const Tensor all = text.rows(6 * epoch, 6).flatten();
    const std::vector<int64_t> tokens(all.const_data_ptr<int64_t>(), all.const_data_ptr<int64_t>() + 30);
    EXPECT_EQ(std::set(tokens.begin(), tokens.end()).size(), 30u);
    for (const auto& document : documents) {
      const auto begin = std::ranges::find(tokens, document.front());
      for (size_t i = 0; i < document.size(); ++i) EXPECT_EQ(begin[static_cast<int64_t>(i)], document[i]);
    }
    orders.insert(tokens);
  }
  EXPECT_EQ(orders.size(), 2u);
  // A pure function: rows across epochs, in any order.
  EXPECT_TRUE(at::equal(text.rows(4, 4), at::cat({text.rows(4, 2), text.rows(6, 2)})));
  EXPECT_TRUE(at::equal(text.rows(0, 1), PackedText(documents, 5, 9).rows(0, 1)));
  expect_mentions(error_of([&] { PackedText(documents, 31, 0); }), {"30 tokens", "31", "data.length"});
}

TEST(NextToken, FollowsTheProbabilities) {
  const Tensor logits = at::tensor({0.5, 0.125, 0.25, 0.125}, at::kDouble).log();
  // By falling probability the tokens are 0, 2, 1, 3 with shares that end at 1/2, 3/4, 7/8, 1.
  const auto choose = [&](double uniform, const NextTokenConfig& config = {}) {
    return choose_token(logits, config, uniform);
  };
  EXPECT_EQ(choose(0), 0);
  EXPECT_EQ(choose(0.499), 0);
  EXPECT_EQ(choose(0.501), 2);
  EXPECT_EQ(choose(0.76), 1);
  EXPECT_EQ(choose(0.99), 3);
  EXPECT_EQ(choose(0.99, {.temperature = 0}), 0);
  EXPECT_EQ(choose(0.99, {.top_k = 1}), 0);
  EXPECT_EQ(choose(0.6, {.top_k = 2}), 0);  // of 2/3 and 1/3
  EXPECT_EQ(choose(0.7, {.top_k = 2}), 2);
  EXPECT_EQ(choose(0.99, {.top_p = 0.5}), 0);
  EXPECT_EQ(choose(0.99, {.top_p = 0.51}), 2);
  // Half the temperature squares the odds: 16 : 4 : 1 : 1.
  EXPECT_EQ(choose(0.72, {.temperature = 0.5}), 0);
  EXPECT_EQ(choose(0.74, {.temperature = 0.5}), 2);
}

std::vector<std::vector<int32_t>> some_documents() {
  return {{1, 5, 9, 2}, {1, 7, 2}, {1, 30, 31, 32, 33, 34, 35, 2}, {1, 8, 9, 2}};
}

Perplexity score(const Cogformer& net, const std::vector<std::vector<int32_t>>& documents, int64_t longest = 64) {
  return perplexity(net, documents, longest, [](int64_t) {});
}

TEST(Perplexity, IsThatOfEachDocumentAlone) {
  const at::NoGradGuard no_grad;
  CogformerConfig blocks = small_cogformer();
  blocks.memory = {.block = 3, .segments = 1, .fam_length = 2};
  for (const Cogformer& net : {random_cogformer(small_cogformer()), random_cogformer(blocks)}) {
    double nats = 0;
    int64_t tokens = 0;
    for (const auto& document : some_documents()) {
      const Tensor row = at::tensor(at::ArrayRef<int32_t>(document)).to(at::kLong).unsqueeze(0);
      Reader reader(net, 1);
      nats += next_token_loss(reader.read(row), row).item<double>() * static_cast<double>(row.size(1) - 1);
      tokens += row.size(1) - 1;
    }
    const Perplexity p = score(net, some_documents());
    EXPECT_EQ(p.documents, 4);
    EXPECT_EQ(p.tokens, tokens);
    EXPECT_NEAR(p.nats, nats, 1e-4);
    EXPECT_NEAR(p.value, std::exp(nats / static_cast<double>(tokens)), 1e-3);
    ASSERT_TRUE(p.interval);
    EXPECT_LT(p.interval->first, p.value);
    EXPECT_GT(p.interval->second, p.value);
  }
}

TEST(Perplexity, HasNoIntervalOfOneDocumentAndOneWithoutWidthOfEqualOnes) {
  const Cogformer net = random_cogformer(small_cogformer());
  EXPECT_FALSE(score(net, {{1, 5, 2}}).interval);
  const Perplexity equal = score(net, {{1, 5, 2}, {1, 5, 2}, {1, 5, 2}});
  EXPECT_NEAR(equal.interval->second - equal.interval->first, 0, 1e-3);
  expect_mentions(error_of([&] { score(net, {{1}}); }), {"no token to predict"});
  // Pieces of a document that is longer than a row predict every token once.
  EXPECT_EQ(score(net, {{1, 2, 3, 4, 5, 6, 7, 8}}, 4).tokens, 7);
}

TEST(Generator, WritesTheSameTextForASeedAndStreamsIt) {
  const Tokenizer tokenizer = Tokenizer::train(std::vector<std::string>{"a red circle above a blue square"}, 280);
  CogformerConfig config = small_cogformer();
  config.vocabulary = tokenizer.size();
  CogformerConfig blocks = config;
  blocks.memory = {.block = 4, .segments = 1, .fam_length = 2};
  for (const Cogformer& net : {random_cogformer(config), random_cogformer(blocks)}) {
    const auto write = [&](uint64_t seed, NextTokenConfig next = {}) {
      std::string streamed;
      const WrittenText text = write_text(net, tokenizer, {.prompt = "a red", .tokens = 30, .seed = seed, .next = next},
                                          [&](std::string_view more) { streamed += more; });
      EXPECT_EQ(streamed, text.text);
      EXPECT_TRUE(text.text.starts_with("a red"));
      EXPECT_LE(text.tokens, 30);
      return text.text;
    };
    EXPECT_EQ(write(1), write(1));
    EXPECT_NE(write(1), write(2));
    EXPECT_EQ(write(1, {.temperature = 0}), write(2, {.temperature = 0}));
  }
}

TEST(Passkey, TheQuestionFillsItsLengthAndHidesTheKeyAtItsBegin) {
  const Tokenizer tokenizer = Tokenizer::train(passkey_examples(0), 384);
  for (const int64_t length : {128, 1000, 4096})
    for (const uint64_t item : {0, 1, 2, 3}) {
      const PasskeyText text(tokenizer, length, 3, item);
      EXPECT_EQ(text.question_length() + std::ssize(text.answer()), length);
      EXPECT_GE(text.key(), 1);
      EXPECT_LE(text.key(), 50'000);
      EXPECT_EQ(text.answer().back(), tokenizer.end());
      EXPECT_EQ(text.question(0), tokenizer.begin());
      std::vector<int32_t> pieces;
      for (int64_t i = 1; i < text.question_length(); ++i) pieces.push_back(text.question(i));
      const std::string question = tokenizer.decode(pieces), key = std::to_string(text.key());
      EXPECT_EQ(tokenizer.decode(std::span(text.answer()).first(text.answer().size() - 1)), key);
      EXPECT_LT(question.find("The pass key is " + key + "."), 200u);
      EXPECT_TRUE(question.ends_with("What is the pass key? The pass key is")) << question;
    }
  EXPECT_NE(PasskeyText(tokenizer, 128, 3, 0).key(), PasskeyText(tokenizer, 128, 3, 1).key());
  expect_mentions(error_of([&] { PasskeyText(tokenizer, 40, 3, 0); }), {"without any filler", "40"});
}

TEST(Diagnosis, WeightsAreThoseOfTheLayers) {
  const at::NoGradGuard no_grad;
  const Cogformer net = random_cogformer(small_cogformer());
  const Tensor tokens = some_tokens(12);
  const std::vector<Tensor> weights = net.attention_weights(tokens, causal_keys(12, 12));
  ASSERT_EQ(weights.size(), 3u);
  const Tensor hidden = dense_mask(causal_keys(12, 12), 12, at::kCPU).logical_not();
  for (const Tensor& w : weights) {
    EXPECT_EQ(w.sizes(), (std::vector<int64_t>{2, 2, 12, 12}));
    EXPECT_TRUE(at::allclose(w.abs().sum(-1), at::ones({2, 2, 12}), 1e-5, 1e-5));
    EXPECT_EQ(w.masked_select(hidden.expand_as(w)).abs().max().item<float>(), 0);
  }
  const std::vector<LayerDiagnosis> layers = diagnose_layers(net, tokens);
  EXPECT_EQ(layers.front().negative, 0);  // softmax
  EXPECT_EQ(layers.back().negative, 0);
  EXPECT_NEAR(layers[1].negative, (weights[1] < 0).sum().item<double>() / (2 * 2 * 78), 1e-12);
  EXPECT_GT(layers[1].negative, 0.2);
  for (const LayerDiagnosis& layer : layers) EXPECT_TRUE(layer.sink > 0 && layer.sink < 1);
}

TEST(Diagnosis, RepresentationsOfEqualTokensDoNotDiffer) {
  const Cogformer net = random_cogformer(small_cogformer());
  // Rotary positions know differences only: of one token alone and twice, softmax of equal keys gives the same mixture.
  CogformerConfig softmax = small_cogformer();
  softmax.attention = inner_attention("softmax", 3);
  EXPECT_LT(representation_difference(random_cogformer(softmax), at::full({1, 1}, 7, at::kLong)), 1e-5);
  EXPECT_GT(representation_difference(net, some_tokens(6)), 1e-3);
}

TEST(LmConfig, CountsItsParametersAndNamesWhatDoesNotFit) {
  for (const auto& size : lm_sizes())
    for (const char* memory : {"none", "bswa", "fam"}) {
      LmConfig config{.size = std::string(size.name), .memory = memory};
      if (size.name == "base") continue;
      config = resolve(config);
      EXPECT_EQ(parameter_count(config), count_parameters(Cogformer(cogformer_config(config)).parameters()));
    }
  EXPECT_NEAR(static_cast<double>(parameter_count(resolve({.size = "base"}))), 141e6, 0.5e6);
  const auto error = [](const LmConfig& config) { return error_of([&] { resolve(config); }); };
  expect_mentions(error({.memory = "bswa", .block = 0}), {"lm.block = 0"});
  expect_mentions(error({.memory = "fam", .block = 8, .fam_length = 9}), {"lm.fam_length = 9", "lm.block"});
  expect_mentions(error({.memory = "fam", .fam_length = 0}), {"lm.fam_length = 0"});
  expect_mentions(error({.memory = "bswa", .segments = -1}), {"lm.segments = -1"});
  expect_mentions(error({.head_dim = 7}), {"lm.head_dim = 7", "even"});
  expect_mentions(error({.layers = 5000}), {"lm.layers = 5000", "1000"});
  expect_mentions(error({.memory = "both"}), {"both", "none"});
  EXPECT_NO_THROW(resolve({.memory = "none", .block = 0}));
}

}  // namespace
}  // namespace uvic::text_test
