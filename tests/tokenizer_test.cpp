#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "encoders/byte_letters.h"
#include "encoders/clean_text.h"
#include "encoders/clip_tokenizer.h"
#include "encoders/mojibake.h"
#include "tests/temporary.h"

namespace uvic {
namespace {

std::string cleaned(std::string_view text) {
  std::string utf8;
  return clean_text(text).toUTF8String(utf8);
}

// The answers are those of ftfy 6.1.1, then of Python's lower().
TEST(CleanText, IsThatOfFtfy) {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},
      {"  A\tphoto \r\n of\u3000a\u00a0CAT\u2028", "a photo of a cat"},
      {"&amp;amp; &lt;tag&gt; &EACUTE;&#39;&#x2019; &notreal;", "& <tag> é'' &notreal;"},
      {"&#x; &#65; &#;", "&#x; a &#;"},  // no digits, no character
      {"\uff76\uff9e \uffa1 \uff21", "\u30ac \u1100 a"},  // half-width letters, full-width ones
      {"a < b &amp; c", "a < b &amp; c"},  // no HTML behind a '<'
      {"schÃ¶n donâ€™t â€œhiâ€\u009d Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "schön don't \"hi\" привет"},
      {"ÃƒÂ©", "é"},  // misread twice
      {"cÅ“ur", "cœur"},
      {"CAFÉ” é\u00a0» SÃO", "café\" é » são"},  // meant as it is
      {"don\u0092t \u0085", "don't …"},
      {"“x” ‘y’ ŉ", "\"x\" 'y' 'n"},
      {"ﬁ ﬅ Ǆ Ｗｉｄｅ１ ﾊ", "fi ſt dž wide1 ハ"},
      {"½ Ⅷ ①", "½ ⅷ ①"},  // not a width, so it stays
      {"\x1b[31mred\x1b[0m \x07\ufeff", "red"},
      {"e\u0301", "é"},
      {"ΣΊΣΥΦΟΣ İ", "σίσυφος i\u0307"},
      {"👨\u200d👩 x\u200by", "👨\u200d👩 x\u200by"},
  };
  for (const auto& [text, want] : rows) EXPECT_EQ(cleaned(text), want) << text;
}

TEST(CleanText, TakesTimeInProportionToTheText) {  // minutes if every letter looked at all behind it
  std::string accents;
  for (int i = 0; i < 200'000; ++i) accents += "\xc3\xa9";
  EXPECT_EQ(clean_text(accents), icu::UnicodeString::fromUTF8(accents));
}

TEST(CleanText, RefusesWhatIsNotUtf8) {
  expect_mentions(error_of([] { clean_text("ab\xff"); }), {"UTF-8", "byte 3"});
  expect_mentions(error_of([] { clean_text("\xc3"); }), {"UTF-8", "byte 1"});
}

TEST(ByteLetters, AreDistinctAndTheirOrderIsThatOfClip) {
  const std::set<std::string> letters(byte_letters().begin(), byte_letters().end());
  EXPECT_EQ(letters.size(), 256u);
  EXPECT_EQ(byte_letters()['a'], "a");
  EXPECT_EQ(byte_letters()[' '], "Ġ");
  EXPECT_EQ(bytes_in_order()[0], '!');
  EXPECT_EQ(bytes_in_order()[188], 0);  // 188 bytes stand for themselves
}

constexpr const char* kMerges = "#version: 0.2\nl o\nlo w</w>\nlo w\ne r</w>\nlow er</w>\n";

std::string vocabulary() {
  nlohmann::json ids;
  const auto add = [&](const std::string& token) { ids[token] = ids.size(); };
  for (const std::string& letter : byte_letters()) add(letter), add(letter + "</w>");
  for (const char* token : {"lo", "low</w>", "low", "er</w>", "lower</w>", "<|startoftext|>", "<|endoftext|>"})
    add(token);
  return ids.dump();
}

class TokenizerTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  void SetUp() override {
    folder_.put("vocab.json", vocabulary());
    folder_.put("merges.txt", kMerges);
  }
  ClipTokenizer tokenizer() const { return ClipTokenizer(read_byte_pairs(folder_.path())); }
  int64_t id(const std::string& token) const { return nlohmann::json::parse(vocabulary()).at(token); }
};

TEST_F(TokenizerTest, MergesInTheOrderOfTheFile) {
  const int64_t start = id("<|startoftext|>"), end = id("<|endoftext|>");
  const auto encode = [&](std::string_view text) {
    std::vector<int64_t> ids = tokenizer().encode(text, 12).ids;
    EXPECT_EQ(ids.size(), 12u);
    EXPECT_EQ(ids.front(), start);
    while (ids.size() > 1 && ids[ids.size() - 1] == end) ids.pop_back();
    return std::vector<int64_t>(ids.begin() + 1, ids.end());
  };
  using Ids = std::vector<int64_t>;
  EXPECT_EQ(encode(""), Ids{});
  EXPECT_EQ(encode("LOW lower"), (Ids{id("low</w>"), id("lower</w>")}));
  EXPECT_EQ(encode("lowe"), (Ids{id("low"), id("e</w>")}));
  EXPECT_EQ(encode("slow"), (Ids{id("s"), id("low</w>")}));
  EXPECT_EQ(encode("12 it's!?"),
            (Ids{id("1</w>"), id("2</w>"), id("i"), id("t</w>"), id("'"), id("s</w>"), id("!"), id("?</w>")}));
  EXPECT_EQ(encode("é"), (Ids{id("Ã"), id("©</w>")}));
  EXPECT_EQ(encode("a<|STARTOFTEXT|>b"), (Ids{id("a</w>"), start, id("b</w>")}));
}

TEST_F(TokenizerTest, CutsOffWhatIsTooLongAndSaysHowMuch) {
  const auto tokens = tokenizer().encode("a b c d e f g", 5);
  EXPECT_EQ(tokens.ids,
            (std::vector<int64_t>{id("<|startoftext|>"), id("a</w>"), id("b</w>"), id("c</w>"), id("<|endoftext|>")}));
  EXPECT_EQ(tokens.left_out, 4);
  EXPECT_EQ(tokenizer().encode("a b c", 5).left_out, 0);
  EXPECT_GT(tokenizer().encode(std::string(10000, 'x')).left_out, 9000);
}

TEST_F(TokenizerTest, ReadsTheSameFromTokenizerJson) {
  nlohmann::json model = {
      {"type", "BPE"}, {"end_of_word_suffix", "</w>"}, {"vocab", nlohmann::json::parse(vocabulary())}};
  const auto pairs = read_byte_pairs(folder_.path());
  const TemporaryFolder other;
  for (const bool as_strings : {true, false}) {
    model["merges"] = nlohmann::json::array();
    for (const auto& [left, right] : pairs.merges)
      model["merges"].push_back(as_strings ? nlohmann::json(left + " " + right) : nlohmann::json({left, right}));
    other.put("tokenizer.json", nlohmann::json{{"model", model}}.dump());
    const auto again = read_byte_pairs(other.path());
    EXPECT_EQ(again.vocabulary, pairs.vocabulary);
    EXPECT_EQ(again.merges, pairs.merges);
  }
}

TEST_F(TokenizerTest, WritesWhatItReads) {
  const auto pairs = read_byte_pairs(folder_.path());
  const TemporaryFolder copy;
  write_byte_pairs(copy.path(), pairs);
  EXPECT_EQ(read_byte_pairs(copy.path()).vocabulary, pairs.vocabulary);
  EXPECT_EQ(read_byte_pairs(copy.path()).merges, pairs.merges);
}

TEST_F(TokenizerTest, NamesWhatIsWrong) {
  const auto problem = [&] { return error_of([&] { tokenizer(); }); };
  folder_.put("merges.txt", "#version: 0.2\nl o w\n");
  expect_mentions(problem(), {"merges.txt", "l o w", "two tokens"});
  folder_.put("merges.txt", "q z</w>\n");
  expect_mentions(error_of([&] { tokenizer().encode("qz"); }), {"vocabulary", "qz"});
  folder_.put("vocab.json", R"({"a": -1})");
  expect_mentions(problem(), {"vocab.json", "'a'"});
  folder_.put("vocab.json", R"({"a": 1})");
  expect_mentions(problem(), {"<|startoftext|>"});
  folder_.put("vocab.json", "{");
  expect_mentions(problem(), {"vocab.json", "JSON"});
  fs::remove(folder_ / "vocab.json");
  expect_mentions(problem(), {"no tokenizer in", "tokenizer.json"});
  folder_.put("tokenizer.json", R"({"model": {"type": "WordPiece"}})");
  expect_mentions(problem(), {"tokenizer.json", "BPE"});
  fs::remove(folder_ / "tokenizer.json");
  folder_.put("bpe_simple_vocab_16e6.txt.gz", "a b\n");
  expect_mentions(problem(), {"only 1 merges", "48894"});
}

}  // namespace
}  // namespace uvic
