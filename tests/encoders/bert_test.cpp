#include "encoders/bert.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/pickle/pth.h"
#include "encoders/fingerprint.h"
#include "encoders/text_encoder.h"
#include "tests/temporary.h"

namespace uvic::bert_test {
namespace {

const fs::path kBert = fs::path(UVIC_TEST_DATA) / "bert";

BertConfig config() {
  return parse_bert_config(read_json(kBert / "config.json", "config"), "config.json");
}
TensorMap weights() {
  return read_weights(kBert / "model.safetensors").tensors;
}

double difference(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// tests/data/bert/make.py asked transformers.
TEST(BertTextEncoder, GivesTheStatesOfTransformers) {
  const at::NoGradGuard no_grad;
  const auto text = load_text_encoder(kBert);
  const nlohmann::json rows = read_json(kBert / "ids.json", "answers");
  const TensorMap states = read_weights(kBert / "states.safetensors").tensors;
  ASSERT_EQ(states.size(), 5u);
  for (const auto& [row, want] : states)
    EXPECT_LT(difference((*text)(rows[std::stoi(row)]["text"], want.size(0))[0], want), 1e-5) << row;
}

TEST(BertTextEncoder, PadsWithZerosThatChangeNothing) {
  const at::NoGradGuard no_grad;
  const auto text = load_text_encoder(kBert);
  const Tensor narrow = (*text)("a cat", 4), wide = (*text)("a cat", 9);
  EXPECT_TRUE(at::equal(wide.narrow(1, 0, 4), narrow));
  EXPECT_EQ(wide.narrow(1, 4, 5).abs().max().item<double>(), 0);
  EXPECT_EQ(text->width(), 16);
  EXPECT_EQ(text->most_tokens(), 28);
}

TEST(Bert, ReadsEveryWayTheWeightsComeIn) {
  const at::NoGradGuard no_grad;
  const Tensor ids = at::tensor({3, 1, 4}, at::kLong).unsqueeze(0);
  const Tensor want = Bert(config(), weights(), "test")(ids);
  TensorMap prefixed, halves;
  for (const auto& [name, tensor] : weights()) {
    prefixed["bert." + name] = tensor;
    halves[name] = tensor.to(at::kBFloat16);
  }
  prefixed["bert.embeddings.position_ids"] = at::arange(28).unsqueeze(0);
  EXPECT_TRUE(at::equal(Bert(config(), prefixed, "test")(ids), want));
  const Bert in_half(config(), halves, "test");
  TensorMap alone = weights();
  alone.erase("pooler.dense.weight");
  alone.erase("pooler.dense.bias");
  ASSERT_LT(alone.size(), weights().size());
  EXPECT_TRUE(at::equal(Bert(config(), alone, "test")(ids), want));
  EXPECT_LT(difference(in_half(ids), want), 0.2);
  EXPECT_EQ(in_half(ids).scalar_type(), at::kFloat);
}

TEST(Bert, IsStrict) {
  const auto problem = [](auto&& change) {
    TensorMap changed = weights();
    change(changed);
    return error_of([&] { Bert(config(), changed, "file.bin"); });
  };
  const std::string name = "encoder.layer.1.output.dense.bias";
  expect_mentions(problem([&](TensorMap& w) { w.erase(name); }), {"file.bin", "missing", name});
  expect_mentions(problem([](TensorMap& w) { w["encoder.layer.2.output.dense.bias"] = at::zeros({16}); }),
                  {"unexpected", "layer.2"});
  expect_mentions(problem([&](TensorMap& w) { w[name] = at::zeros({9}); }), {"wrong shape", "[9], not [16]"});
  expect_mentions(problem([&](TensorMap& w) { w[name] = at::full({16}, NAN); }), {name, "non-finite"});
}

TEST(BertConfig, IsThatOfHuggingFace) {
  const auto parse = [](const char* text) { return parse_bert_config(nlohmann::json::parse(text), "config.json"); };
  EXPECT_EQ(parse("{}").num_hidden_layers, 12);
  const BertConfig again = parse_bert_config(to_json(config()), "again");
  EXPECT_EQ(again.intermediate_size, 24);
  EXPECT_EQ(again.layer_norm_eps, 1e-12);
  expect_mentions(error_of([&] { parse(R"({"type_vocab_size": 0})"); }), {"config.json", "type_vocab_size", "0"});
  expect_mentions(error_of([&] { parse(R"({"hidden_act": "relu"})"); }), {"hidden_act", "relu", "gelu"});
  expect_mentions(error_of([&] { parse(R"({"position_embedding_type": "relative_key"})"); }), {"relative_key"});
  expect_mentions(error_of([&] { parse("[]"); }), {"config.json"});
}

class BertFolder : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  void SetUp() override {
    for (const char* file : {"config.json", "model.safetensors", "vocab.txt"}) fs::copy(kBert / file, folder_ / file);
  }
  std::string problem() const {
    return error_of([&] { load_text_encoder(folder_.path()); });
  }
};

TEST_F(BertFolder, IsKnownByItsFingerprint) {
  const std::string hash = fingerprint(*load_text_encoder(kBert));
  EXPECT_EQ(fingerprint(*load_text_encoder(folder_.path())), hash);
  std::string words = read_file(folder_ / "vocab.txt", "vocabulary");
  folder_.put("vocab.txt", words.replace(words.find("\ncat\n"), 5, "\ncow\n"));
  EXPECT_NE(fingerprint(*load_text_encoder(folder_.path())), hash);
}

TEST_F(BertFolder, IsReadBackAsWritten) {
  const auto text = load_text_encoder(kBert);
  const TemporaryFolder copy;
  text->write_configs(copy / "text_encoder", copy / "tokenizer");
  write_safetensors(copy / "text_encoder/model.safetensors", {to_map(text->parameters()), {}});
  EXPECT_EQ(fingerprint(*load_text_encoder(copy.path())), fingerprint(*text));
}

TEST_F(BertFolder, NamesWhatIsWrong) {
  fs::remove(folder_ / "vocab.txt");
  expect_mentions(problem(), {"no tokenizer of a BERT", "vocab.txt"});
  folder_.put("vocab.txt", read_file(kBert / "vocab.txt", "vocabulary") + "more\n");
  expect_mentions(problem(), {"ids up to 279", "only 279 tokens", "do not belong together"});
  folder_.put("config.json", R"({"model_type": "roberta"})");
  expect_mentions(problem(), {"config.json", "roberta", "clip_text_model, clip, bert"});
  fs::remove(folder_ / "model.safetensors");
  folder_.put("config.json", R"({"model_type": "bert"})");
  expect_mentions(problem(), {"no weights of the text encoder"});
  expect_mentions(error_of([] { load_text_encoder("gone"); }),
                  {"'gone'", "config.json", "--text", "scripts/setup --minilm"});
}

}  // namespace
}  // namespace uvic::bert_test
