#include "lm/tokenizer.h"

#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace uvic::lm_tokenizer_test {
namespace {

const std::vector<std::string> kTexts{"a red circle above a blue square", "a green star\nbelow two red circles",
                                      "one blue square, one red star"};

TEST(Tokenizer, LosesNothingOfAText) {
  const Tokenizer tokenizer = Tokenizer::train(kTexts, 300);
  EXPECT_EQ(tokenizer.size(), 300);
  for (const std::string text : {"a red star", "", "  two  spaces ", "tab\tand\nline\n", "żółć 猫 🐈", "1234567"})
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(Tokenizer, LearnsWhatIsFrequentAndSplitsDigits) {
  const Tokenizer tokenizer = Tokenizer::train(kTexts, 300);
  EXPECT_LT(tokenizer.encode("a red circle").size(), 8u);
  EXPECT_GE(tokenizer.encode("50000").size(), 5u);
  EXPECT_GT(tokenizer.encode("猫").size(), 2u);  // in bytes
}

TEST(Tokenizer, TheSameTextsGiveTheSameModel) {
  const Tokenizer one = Tokenizer::train(kTexts, 300), other = Tokenizer::train(kTexts, 300);
  EXPECT_EQ(one.model(), other.model());
  const Tokenizer read = Tokenizer::from_model(one.model(), "a file");
  EXPECT_EQ(read.encode(kTexts[1]), one.encode(kTexts[1]));
  EXPECT_EQ(read.begin(), 1);
  EXPECT_EQ(read.end(), 2);
}

TEST(Tokenizer, MistakesAreNamed) {
  expect_mentions(error_of([] { Tokenizer::train(kTexts, 259); }), {"lm.vocabulary", "259"});
  expect_mentions(error_of([] { Tokenizer::train(kTexts, 100'000); }), {"100000", "another --lm.vocabulary"});
  expect_mentions(error_of([] { Tokenizer::from_model("no model", "my.model"); }), {"my.model", "SentencePiece"});
  expect_mentions(error_of([] { Tokenizer::from_model("", "my.model"); }), {"my.model", "SentencePiece"});
}

}  // namespace
}  // namespace uvic::lm_tokenizer_test
