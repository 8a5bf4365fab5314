#include "encoders/word_pieces.h"

#include <gtest/gtest.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "core/formats/json_file.h"
#include "tests/temporary.h"

namespace uvic::word_pieces_test {
namespace {

const fs::path kBert = fs::path(UVIC_TEST_DATA) / "bert";

using Ids = std::vector<int64_t>;

// tests/data/bert/make.py asked transformers.
TEST(WordPieces, AreThoseOfTransformers) {
  const WordPieces pieces = read_word_pieces(kBert);
  const nlohmann::json rows = read_json(kBert / "ids.json", "answers");
  ASSERT_GT(rows.size(), 60u);
  for (const auto& row : rows) {
    const std::string text = row["text"];
    const Ids want = row["ids"];
    const Tokens tokens = pieces.encode(text, std::ssize(want) + 1);
    Ids padded = want;
    padded.push_back(0);
    EXPECT_EQ(tokens.ids, padded) << row["text"];
    EXPECT_EQ(tokens.used, std::ssize(want)) << row["text"];
    EXPECT_EQ(tokens.left_out, 0) << row["text"];
  }
}

TEST(WordPieces, CutOffWhatIsTooLongAndSayHowMuch) {
  const WordPieces pieces = read_word_pieces(kBert);
  const Ids all = pieces.encode("a red bus on bridges", 7).ids;
  const Tokens cut = pieces.encode("a red bus on bridges", 5);
  EXPECT_EQ(cut.ids, (Ids{all[0], all[1], all[2], all[3], all[6]}));
  EXPECT_EQ(cut.used, 5);
  EXPECT_EQ(cut.left_out, 2);
  std::string book;
  for (int i = 0; i < 20'000; ++i) book += "a cat, ";
  EXPECT_EQ(pieces.encode(book, 5).left_out, 60'000 - 3);
}

TEST(WordPieces, TakeNoLongerForLongWordsOfRareLetters) {
  const WordPieces pieces = read_word_pieces(kBert);
  const auto time = [&](const std::string& text) {
    const std::clock_t begin = std::clock();
    pieces.encode(text, 64);
    return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  };
  std::string words, marks = "a";
  while (words.size() < 100'000) words += (words.size() % 101 == 100) ? ' ' : 'x';
  while (marks.size() < 100'000) marks += "\u0301\u0323";
  EXPECT_LT(time(words), 1.0);
  EXPECT_LT(time(marks), 1.0);
}

TEST(WordPieces, ReadAVocabularyWithAMark) {
  const WordPieces pieces = read_word_pieces(kBert);
  const TemporaryFolder copy;
  write_word_pieces(copy.path(), pieces);
  copy.put("vocab.txt", "\xEF\xBB\xBF" + read_file(copy / "vocab.txt", "vocabulary"));
  EXPECT_EQ(read_word_pieces(copy.path()).tokens(), pieces.tokens());
}

TEST(WordPieces, ReadTheSameFromEveryFile) {
  const WordPieces pieces = read_word_pieces(kBert);
  const TemporaryFolder copy, json;
  write_word_pieces(copy.path(), pieces);
  EXPECT_EQ(read_word_pieces(copy.path()).tokens(), pieces.tokens());
  nlohmann::json vocabulary;
  std::string lines;
  for (size_t id = 0; id < pieces.tokens().size(); ++id) {
    vocabulary[pieces.tokens()[id]] = id;
    lines += pieces.tokens()[id] + "\r\n";
  }
  copy.put("vocab.txt", lines);
  EXPECT_EQ(read_word_pieces(copy.path()).tokens(), pieces.tokens());
  json.put("tokenizer.json", nlohmann::json{{"model", {{"type", "WordPiece"}, {"vocab", vocabulary}}}}.dump());
  EXPECT_EQ(read_word_pieces(json.path()).tokens(), pieces.tokens());
}

TEST(WordPieces, NameWhatIsWrong) {
  const TemporaryFolder folder;
  const auto problem = [&] { return error_of([&] { read_word_pieces(folder.path()); }); };
  expect_mentions(problem(), {"no tokenizer of a BERT in", "vocab.txt"});
  folder.put("vocab.txt", "[PAD]\n[UNK]\n[SEP]\na\n");
  expect_mentions(problem(), {"vocab.txt", "[CLS]", "not the vocabulary of a BERT"});
  folder.put("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\nb\na\n");
  expect_mentions(problem(), {"vocab.txt", "'a' twice"});
  folder.put("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n");
  expect_mentions(error_of([&] { read_word_pieces(folder.path()).encode("ab\xff", 5); }), {"UTF-8", "byte 3"});
  folder.put("tokenizer_config.json", R"({"do_lower_case": false})");
  expect_mentions(problem(), {"tokenizer_config.json", "do_lower_case is false", "uncased"});
  folder.put("tokenizer_config.json", R"({"strip_accents": false})");
  expect_mentions(problem(), {"strip_accents is false"});
  folder.put("tokenizer_config.json", R"({"do_lower_case": true, "strip_accents": null})");
  EXPECT_NO_THROW(read_word_pieces(folder.path()));
  folder.put("tokenizer.json", R"({"model": {"type": "BPE"}})");
  expect_mentions(problem(), {"tokenizer.json", "WordPiece"});
  folder.put("tokenizer.json", R"({"model": {"vocab": {"[PAD]": 0, "[UNK]": 2}}})");
  expect_mentions(problem(), {"tokenizer.json", "'[UNK]' is 2", "0 to 1"});
  folder.put("tokenizer.json", R"({"normalizer": {"lowercase": false}, "model": {"vocab": {}}})");
  expect_mentions(problem(), {"tokenizer.json", "lowercase is false"});
}

}  // namespace
}  // namespace uvic::word_pieces_test
