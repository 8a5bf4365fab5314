#include "core/text.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace uvic::text_test {
namespace {

using namespace std::string_literals;

TEST(ValidUtf8, ReplacesEachByteThatIsOfNoCharacter) {
  EXPECT_EQ(valid_utf8("ein K\u00e4fer \U0001F7E5"), "ein K\u00e4fer \U0001F7E5");
  EXPECT_EQ(valid_utf8("\xe4 \xe2\x82"), "\uFFFD \uFFFD\uFFFD");
}

TEST(IsUtf8, EdgesOfTheRanges) {
  for (const std::string& good : {""s, "a\0b"s, "\x7F"s, "\xC2\x80"s, "\xDF\xBF"s, "\xE0\xA0\x80"s, "\xED\x9F\xBF"s,
                                  "\xEE\x80\x80"s, "\xEF\xBF\xBF"s, "\xF0\x90\x80\x80"s, "\xF4\x8F\xBF\xBF"s, "ä€😀"s})
    EXPECT_TRUE(is_utf8(good)) << visible(good);
}

TEST(IsUtf8, RefusesLatin1OverlongSurrogatesAndCutCharacters) {
  for (const std::string& bad : {"caf\xE9"s, "\x80"s, "\xBF"s, "\xC0\x80"s, "\xC1\xBF"s, "\xE0\x9F\xBF"s,
                                 "\xED\xA0\x80"s, "\xF0\x8F\xBF\xBF"s, "\xF4\x90\x80\x80"s, "\xF5\x80\x80\x80"s,
                                 "\xFF"s, "\xC2"s, "\xE2\x82"s, "\xF0\x9F\x98"s, "\xE2\x28\xA1"s, "\xE2\x82(x"s})
    EXPECT_FALSE(is_utf8(bad)) << visible(bad);
}

TEST(Visible, WhatATerminalWouldObey) {
  EXPECT_EQ(visible("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(visible("a\nb\tc\rd\x7F"
                    "e\0f"s),
            "a\\nb\\tc\\rd\\x7fe\\x00f");
  EXPECT_EQ(visible("\0"s), "\\x00");
  EXPECT_EQ(visible("\xC2\x9B"
                    "31m"),
            "\\u009b31m");  // the control sequence introducer in one character
  EXPECT_EQ(visible("gpj.\xE2\x80\xAE"
                    "exe"),
            "gpj.\\u202eexe");  // written from right to left
  EXPECT_EQ(visible("caf\xE9 \x9B"), "caf\\xe9 \\x9b");
}

TEST(Visible, WhatIsHarmlessStays) {
  for (const std::string text : {"", "a red circle", "C:\\x", "ä€😀 日本語"}) EXPECT_EQ(visible(text), text);
}

TEST(LowerCase, IsForLettersOfAsciiAlone) {
  EXPECT_EQ(lower_case("DPM++ 2M.PNG @[`{ \xc3\x84"), "dpm++ 2m.png @[`{ \xc3\x84");
}

TEST(Shortened, KeepsBothEnds) {
  EXPECT_EQ(shortened("0123456789", 10), "0123456789");
  EXPECT_EQ(shortened("0123456789a", 10), "01234...9a");
  EXPECT_EQ(shortened("", 10), "");
}

TEST(Shortened, CountsCharactersAndCutsNone) {
  std::string text, expected;
  for (int i = 0; i < 12; ++i) text += "€";
  for (int i = 0; i < 5; ++i) expected += "€";
  EXPECT_EQ(shortened(text, 12), text);
  EXPECT_EQ(shortened(text, 10), expected + "...€€");
}

TEST(OneLine, IsShortHoweverItIsMade) {
  EXPECT_EQ(one_line("a\nb"), "a\\nb");
  for (const std::string piece : {"x", "\x1b", "\xFF", "€"}) {
    std::string text;
    for (int i = 0; i < 5000; ++i) text += piece;
    const std::string line = one_line(text);
    EXPECT_TRUE(is_utf8(line));
    EXPECT_LE(std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; }), 990);
    EXPECT_EQ(line.find_first_of("\n\x1b\xFF"), std::string::npos);
  }
}

}  // namespace
}  // namespace uvic::text_test
