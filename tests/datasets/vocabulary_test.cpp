#include "datasets/vocabulary.h"

#include <gtest/gtest.h>

#include <ctime>

#include "tests/temporary.h"

namespace uvic::vocabulary_test {
namespace {

using Ids = std::vector<int64_t>;
using Words = std::vector<std::string>;

const std::vector<std::string> kCaptions = {"A red circle.", "a red square, a dog's bone", "b"};

TEST(Vocabulary, SortsByFrequencyThenAlphabet) {
  EXPECT_EQ(Vocabulary::build(kCaptions, 100).to_text(),
            "<pad>\n<unknown>\na\nred\n,\n.\nb\nbone\ncircle\ndog's\nsquare\n");
}

TEST(Vocabulary, SizeAndCountAreLimited) {
  EXPECT_EQ(Vocabulary::build(kCaptions, 5).to_text(), "<pad>\n<unknown>\na\nred\n,\n");
  EXPECT_EQ(Vocabulary::build(kCaptions, 100, 2).to_text(), "<pad>\n<unknown>\na\nred\n");
  EXPECT_EQ(Vocabulary::build({}, 100).size(), 2);
}

TEST(Vocabulary, EncodesPadsAndReports) {
  const auto vocabulary = Vocabulary::build(kCaptions, 100);
  const auto encoded = vocabulary.encode("A RED dragon, a dragon!", 8);
  EXPECT_EQ(encoded.ids, (Ids{2, 3, 1, 4, 2, 1, 1, 0}));
  EXPECT_EQ(encoded.unknown, (Words{"dragon", "!"}));
  EXPECT_EQ(encoded.dropped, 0);
}

TEST(Vocabulary, DropsWhatDoesNotFit) {
  const auto encoded = Vocabulary::build(kCaptions, 100).encode("a red circle. a cat", 3);
  EXPECT_EQ(encoded.ids, (Ids{2, 3, 8}));
  EXPECT_EQ(encoded.dropped, 3);
  EXPECT_EQ(encoded.unknown, (Words{"cat"}));
}

TEST(Vocabulary, EmptyTextIsAllPad) {
  EXPECT_EQ(Vocabulary::build(kCaptions, 100).encode(" \t\n", 4).ids, (Ids{0, 0, 0, 0}));
}

TEST(Vocabulary, SplitsPunctuationKeepsInnerApostrophesAndAccents) {
  const auto encoded = Vocabulary::build({}, 100).encode("'Tis o'clock--d\xc3\xa9j\xc3\xa0 <pad> x2'", 20);
  EXPECT_EQ(encoded.unknown, (Words{"'", "tis", "o'clock", "-", "d\xc3\xa9j\xc3\xa0", "<", "pad", ">", "x2"}));
}

TEST(Vocabulary, ManyUnknownWordsTakeNoLonger) {
  std::string text;
  for (int i = 0; i < 30'000; ++i) text += fmt::format("w{} ", i);
  const std::clock_t begin = std::clock();
  EXPECT_EQ(Vocabulary::build(kCaptions, 100).encode(text + text, 4).unknown.size(), 30'000u);
  EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 1.0);
}

TEST(Vocabulary, TextIsReadBack) {
  const auto vocabulary = Vocabulary::build(kCaptions, 100);
  const auto again = Vocabulary::from_text(vocabulary.to_text());
  EXPECT_EQ(again.to_text(), vocabulary.to_text());
  EXPECT_EQ(again.size(), 11);
  EXPECT_EQ(again.encode("a dog's circle", 4).ids, (Ids{2, 9, 8, 0}));
}

TEST(Vocabulary, DamagedTextIsAnError) {
  const std::pair<const char*, const char*> cases[] = {{"", "no vocabulary"},
                                                       {"a\nb\n", "no vocabulary"},
                                                       {"<pad>\n<unknown>\na\n\nb\n", "line 4"},
                                                       {"<pad>\n<unknown>\na\nb\na\n", "repeats 'a'"}};
  for (const auto& [text, part] : cases) {
    SCOPED_TRACE(part);
    expect_mentions(error_of([&] { Vocabulary::from_text(text); }), {part});
  }
}

}  // namespace
}  // namespace uvic::vocabulary_test
