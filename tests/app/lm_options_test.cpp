#include "app/cli/lm_options.h"

#include <gtest/gtest.h>

#include <set>

#include "app/cli/presets.h"
#include "app/lm/text_source.h"
#include "app/model/language_model.h"
#include "tests/temporary.h"

namespace uvic::lm_options_test {
namespace {

LmRunConfig preset(const char* name) {
  return parse_config<LmOptions>(std::string(find(lm_presets(), name, "preset").value), name);
}

TEST(LmPresets, EachIsAConfigThatFitsTogether) {
  for (const auto& entry : lm_presets()) {
    SCOPED_TRACE(entry.name);
    EXPECT_FALSE(entry.summary.empty());
    const LmRunConfig config = parse_config<LmOptions>(std::string(entry.value), std::string(entry.name));
    EXPECT_NO_THROW(resolve(config.lm));
    EXPECT_EQ(doubts(config.train).size(), entry.name == "lm-smoke" ? 1u : 0u);
    const std::string text = print_config<LmOptions>(config);
    EXPECT_EQ(print_config<LmOptions>(parse_config<LmOptions>(text, "printed")), text);
  }
}

TEST(LmOptions, EveryNumberAndChoiceIsChecked) {
  const std::set<std::string> texts{"data.spec", "data.tokenizer", "init.file", "eval.against", "output.name"};
  for (const TomlItem& item : parse_toml(print_config<LmOptions>({}), "defaults")) {
    const std::string name = item.section + "." + item.key;
    if (texts.contains(name)) continue;
    const std::string toml = fmt::format("[{}]\n{} = \"no such\"\n", item.section, item.key);
    expect_mentions(error_of([&] { parse_config<LmOptions>(toml, "my.toml"); }), {"my.toml", name, "no such"});
  }
}

TEST(LmOptions, KeysThatGiveWeightsAnotherMeaningAreKnown) {
  const auto change = [](auto edit) {
    LmRunConfig after;
    edit(after);
    const auto found = change_of_meaning<LmOptions>({}, after);
    return found ? found->key : "";
  };
  EXPECT_EQ(change([](LmRunConfig& c) { c.lm.layers = 3; }), "lm.layers");
  EXPECT_EQ(change([](LmRunConfig& c) { c.lm.memory = "fam"; }), "lm.memory");
  EXPECT_EQ(change([](LmRunConfig& c) { c.lm.attention = "softmax"; }), "lm.attention");
  EXPECT_EQ(change([](LmRunConfig& c) { c.train.optimizer = "muon"; }), "train.optimizer");
  EXPECT_EQ(change([](LmRunConfig& c) { c.data.length = 99; }), "");
  EXPECT_EQ(change([](LmRunConfig& c) { c.train.lr = 99; }), "");
}

TextBatch batch_of(const TextSource& source, const LmRunConfig& config, int64_t k) {
  return source.batch_at({k * config.train.batch, config.train.batch});
}

TEST(TextSource, IsAPureFunctionOfTheItemsAndSeesWhatTheMemorySees) {
  LmRunConfig config = preset("lm-smoke");
  const TextSource source = open_text_source(config, std::nullopt);
  const TextBatch one = batch_of(source, config, 3), again = batch_of(source, config, 3),
                  other = batch_of(source, config, 4);
  EXPECT_TRUE(at::equal(one.tokens, again.tokens));
  EXPECT_FALSE(one.tokens.sizes() == other.tokens.sizes() && at::equal(one.tokens, other.tokens));
  const int64_t batch = config.train.batch;
  const TextBatch half = source.batch_at({3 * batch + batch / 2, batch - batch / 2});  // another rank's share
  EXPECT_TRUE(at::equal(half.tokens, one.tokens.slice(0, batch / 2)));
  EXPECT_TRUE(at::equal(half.counted, one.counted.slice(0, batch / 2)));
  // The answers count alone: a number of up to five digits with its space, and the end.
  const Tensor counted = one.counted.sum(1);
  EXPECT_GE(counted.min().item<int64_t>(), 3);
  EXPECT_LE(counted.max().item<int64_t>(), 7);
  EXPECT_EQ(config.lm.vocabulary, source.tokenizer.size());
  EXPECT_EQ(config.output.name, "passkey-cogformer-nano");
}

TEST(TextSource, PasskeyTextsGrow) {
  LmRunConfig config = preset("lm-smoke");
  config.data.spec = "passkey?shortest=128&grow=10";
  config.data.length = 1024;
  const TextSource source = open_text_source(config, std::nullopt);
  EXPECT_LE(batch_of(source, config, 0).tokens.size(1), 157);  // 128 * 8^(1/10)
  EXPECT_LE(batch_of(source, config, 4).tokens.size(1), 362);
  int64_t longest = 0;
  for (int64_t k = 10; k < 40; ++k) longest = std::max(longest, batch_of(source, config, k).tokens.size(1));
  EXPECT_GT(longest, 500);
  config.data.spec = "passkey?grow=-1";
  expect_mentions(error_of([&] { open_text_source(config, std::nullopt); }), {"grow"});
  config.data.spec = "passkey?size=3";
  expect_mentions(error_of([&] { open_text_source(config, std::nullopt); }), {"size", "shortest, grow"});
  config.data.spec = "passkey?shortest=4096";
  expect_mentions(error_of([&] { open_text_source(config, std::nullopt); }), {"shortest", "1024"});
}

TEST(TextSource, DocumentsAndWindowsMeet) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 40; ++i) lines += fmt::format("a red circle number {}\n", i);
  LmRunConfig config = preset("captions");
  config.data.spec = "text:" + folder.put("a.txt", lines).string();
  config.data.length = 32;
  config.lm.vocabulary = 285;
  config.lm.memory = "bswa";
  config.lm.block = 4;
  config.lm.segments = 1;
  const TextSource source = open_text_source(config, std::nullopt);
  const TextBatch batch = batch_of(source, config, 0);
  const Tensor begins = batch.tokens == source.tokenizer.begin();
  EXPECT_TRUE(at::equal(batch.counted, begins.logical_not()));
  const Tensor seen = dense_mask(batch.visible, 32, at::kCPU);
  const Tensor want = dense_mask(document_keys(begins), 32, at::kCPU)
                          .logical_and(dense_mask(block_window_keys(32, 4, 1), 32, at::kCPU));
  EXPECT_TRUE(at::equal(seen, want.expand_as(seen)));
}

TEST(LmCard, ComesBackFromItsMetadata) {
  LmRunConfig config = preset("lm-smoke");
  const TextSource source = open_text_source(config, std::nullopt);
  auto metadata = LmCard{.config = config, .step = 7, .tokenizer = source.tokenizer}.to_metadata();
  const LmCard card = LmCard::from_metadata(metadata, "a file");
  EXPECT_EQ(card.step, 7);
  EXPECT_EQ(card.tokenizer.model(), source.tokenizer.model());
  EXPECT_EQ(print_config<LmOptions>(card.config), print_config<LmOptions>(config));
  const auto error = [&](const char* key, const std::string& value) {
    auto damaged = metadata;
    damaged[key] = value;
    return error_of([&] { LmCard::from_metadata(damaged, "my file"); });
  };
  expect_mentions(error("uvic.step", "seven"), {"my file", "seven"});
  expect_mentions(error("uvic.tokenizer", "!!!!"), {"my file", "base64"});
  expect_mentions(error("uvic.tokenizer", "AAAA"), {"my file", "SentencePiece"});
  expect_mentions(error("uvic.lm_config", "[lm]\nlayers = 0\nvocabulary = 5\n"), {"my file", "pieces"});
  metadata.erase("uvic.tokenizer");
  expect_mentions(error_of([&] { LmCard::from_metadata(metadata, "my file"); }), {"my file", "uvic lm train"});
}

}  // namespace
}  // namespace uvic::lm_options_test
