#include <gtest/gtest.h>
#include <unicode/normalizer2.h>

#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>

#include "encoders/byte_letters.h"
#include "encoders/clean_text.h"
#include "encoders/clip_tokenizer.h"
#include "encoders/mojibake.h"
#include "encoders/normal_form.h"
#include "tests/temporary.h"

namespace uvic::tokenizer_test {
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
      {"&#x; &#65; &#;", "&#x; a &#;"},                   // no digits, no character
      {"\uff76\uff9e \uffa1 \uff21", "\u30ac \u1100 a"},  // half-width letters, full-width ones
      {"a < b &amp; c", "a < b &amp; c"},                 // no HTML behind a '<'
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

std::string repeated(std::string_view part, int64_t bytes) {
  std::string text;
  while (std::ssize(text) < bytes) text += part;
  return text;
}

// Of the processor, which other programs may be using too.
double seconds(const std::function<void()>& action) {
  const std::clock_t begin = std::clock();
  action();
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

// What a caption may hold to take time in proportion to the square of its length, or more.
const std::vector<std::pair<std::string, std::string>>& hostile_texts() {
  static const auto* const texts = [] {
    constexpr int64_t kBytes = 100'000;
    std::string nested, letters, marks = "a", words, misread = "\xc3\xa9";
    for (int i = 0; i < 16'000; ++i) nested += "&#3";
    for (int i = 0; i < 16'000; ++i) nested += "8;";
    uint32_t state = 1;
    while (std::ssize(letters) < kBytes)
      letters += static_cast<char>('a' + (state = state * 1664525 + 1013904223) % 9991 % 26);
    while (std::ssize(marks) < kBytes) marks += "\u0301\u0323";
    for (int i = 0; i < 15'000; ++i) words += fmt::format("w{} ", i);
    while (std::ssize(misread) < kBytes) {
      icu::UnicodeString twice;
      for (const char byte : misread) twice.append(from_windows_1252(static_cast<unsigned char>(byte)));
      misread.clear();
      twice.toUTF8String(misread);
    }
    return new std::vector<std::pair<std::string, std::string>>{
        {"&amp;amp;amp;", "&" + repeated("amp;", kBytes)},
        {"&amp;amp; often", repeated("&amp;amp;amp;amp;amp;amp;amp;amp;amp;amp;amp; ", kBytes)},
        {"nested numbers", nested},
        {"a control in each", "&" + repeated("a&#1;mp;", kBytes)},
        {"ampersands", std::string(kBytes, '&')},
        {"names without an end", repeated("&aaaaaaaaaaaaaaaaaaaaaaaa", kBytes)},
        {"misread letters", repeated("Ã©", kBytes)},
        {"misread again and again", misread},
        {"a lead and its followers", "Ã" + repeated("ƒ", kBytes)},
        {"leads", repeated("Ã", kBytes)},
        {"escapes", repeated("\x1b[0", kBytes)},
        {"nested escapes", std::string(kBytes / 3, '\x1b') + repeated("[m", 2 * kBytes / 3)},
        {"digits of an escape", "\x1b[" + std::string(kBytes, '1')},
        {"accents in the wrong order", marks},
        {"accents", "e" + repeated("\u0301", kBytes)},
        {"Hangul", repeated("\u1100\u1161\u11a8", kBytes)},
        {"sigmas", repeated("Σ'", kBytes)},
        {"a long ligature", repeated("\ufdfa", kBytes)},
        {"half width", repeated("\uff76\uff9e", kBytes)},
        {"one letter", std::string(kBytes, 'x')},
        {"letters", letters},
        {"words of a hundred letters", repeated(letters.substr(0, 100) + " ", kBytes)},
        {"letters of four bytes", repeated("𝐚", kBytes)},
        {"words", words},
        {"punctuation", std::string(kBytes, '!')},
        {"spaces", std::string(kBytes, ' ')},
        {"apostrophes", repeated("'s", kBytes)},
        {"special tokens", repeated("<|endoftext|", kBytes)},
    };
  }();
  return *texts;
}

TEST(CleanText, TakesNoLongerForHostileText) {
  for (const auto& [name, text] : hostile_texts())
    EXPECT_LT(seconds([&, &text = text] { clean_text(text); }), 1.0) << name;
  EXPECT_EQ(cleaned("&" + repeated("amp;", 40'000)), "&");
  EXPECT_EQ(cleaned("1 &" + repeated("amp;", 400) + "lt; &" + repeated("amp;", 400) + "nothing; 2"), "1 < &nothing; 2");
}

TEST(NormalForm, OfManyMarksIsThatOfFew) {
  // Classes 230, 220, 230 230 (taken apart), 0 (but 129 130 taken apart), 202, and a letter that composes.
  const char32_t marks[] = {0x301, 0x323, 0x344, 0xF73, 0x327, 0x308};
  uint32_t state = 3;
  for (int round = 0; round < 200; ++round) {
    icu::UnicodeString text(u'o');
    for (int i = 0; i < 40; ++i)
      text.append(static_cast<UChar32>(marks[(state = state * 1664525 + 1013904223) / 65536 % 6]));
    UErrorCode status = U_ZERO_ERROR;
    EXPECT_EQ(composed(text), icu::Normalizer2::getNFCInstance(status)->normalize(text, status));
    EXPECT_EQ(decomposed(text), icu::Normalizer2::getNFDInstance(status)->normalize(text, status));
  }
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

// As it is defined: again and again, the first of the merges that applies anywhere, everywhere from the left.
std::vector<std::string> merged_step_by_step(const std::string& word,
                                             const std::vector<std::pair<std::string, std::string>>& merges) {
  std::vector<std::string> parts;
  for (const char letter : word) parts.emplace_back(1, letter);
  parts.back() += "</w>";
  for (bool found = true; found;) {
    found = false;
    for (const auto& [left, right] : merges) {
      for (size_t i = 0; i + 1 < parts.size(); ++i) {
        if (parts[i] != left || parts[i + 1] != right) continue;
        parts[i] += parts[i + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        found = true;
      }
      if (found) break;
    }
  }
  return parts;
}

TEST(BytePairs, AreMergedAsStepByStep) {
  uint32_t state = 7;
  const auto draw = [&](uint32_t below) { return (state = state * 1664525 + 1013904223) / 65536 % below; };
  for (int round = 0; round < 300; ++round) {
    BytePairs pairs;
    std::vector<std::string> tokens{"a", "b", "c", "a</w>", "b</w>", "c</w>"};
    for (int i = 0; i < 12; ++i) {
      const std::string left = tokens[draw(std::ssize(tokens))], right = tokens[draw(std::ssize(tokens))];
      if (left.ends_with(">")) continue;
      pairs.merges.emplace_back(left, right);
      tokens.push_back(left + right);
    }
    std::ranges::reverse(pairs.merges);  // so that a merge may stand before what it is made of
    if (round % 2 == 0) std::ranges::reverse(pairs.merges);
    for (const std::string& token : tokens) pairs.vocabulary.emplace(token, std::ssize(pairs.vocabulary));
    pairs.index();
    std::string word;
    for (uint32_t length = 1 + draw(30); word.size() < length;) word += static_cast<char>('a' + draw(3));
    std::vector<int64_t> want;
    for (const std::string& part : merged_step_by_step(word, pairs.merges)) want.push_back(pairs.vocabulary.at(part));
    EXPECT_EQ(pairs.encode(word), want) << word;
  }
}

TEST_F(TokenizerTest, TakesNoLongerForHostileText) {
  // As many merges as CLIP has, of letters, so that a long word takes thousands of them.
  nlohmann::json ids = nlohmann::json::parse(vocabulary());
  std::string merges = "#version: 0.2\n";
  const auto letter = [](int i) { return static_cast<char>('a' + i % 26); };
  for (int i = 0; i < 26 * 26 * 26; ++i) {
    const std::string pair{letter(i), letter(i / 26)}, third{letter(i / 676)};
    if (i < 26 * 26) merges += fmt::format("{} {}\n", pair[0], pair[1]), ids.emplace(pair, ids.size());
    merges += fmt::format("{} {}\n", pair, third), ids.emplace(pair + third, ids.size());
  }
  folder_.put("vocab.json", ids.dump());
  folder_.put("merges.txt", merges);
  const ClipTokenizer clip = tokenizer();
  for (const auto& [name, text] : hostile_texts())
    EXPECT_LT(seconds([&, &text = text] { clip.encode(text); }), 2.0) << name;
}

TEST_F(TokenizerTest, ReadsFilesWithAMark) {
  const auto ids = tokenizer().encode("lower low").ids;
  folder_.put("vocab.json", "\xEF\xBB\xBF" + vocabulary());
  folder_.put("merges.txt", "\xEF\xBB\xBF" + std::string(kMerges));
  EXPECT_EQ(tokenizer().encode("lower low").ids, ids);
  folder_.put("merges.txt", std::string(kMerges) + "caf\xE9 x\n");
  expect_mentions(error_of([&] { tokenizer(); }), {"merges.txt, line 7", "UTF-8"});
  folder_.put("vocab.json", std::string(1'000'000, '['));
  expect_mentions(error_of([&] { tokenizer(); }), {"vocab.json", "64 levels"});
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
}  // namespace uvic::tokenizer_test
