#include "app/cli/help.h"

#include <gtest/gtest.h>

namespace uvic::help_test {
namespace {

TEST(Wrapped, ShortLinesStayAsTheyAre) {
  const std::string text = "Usage: x\n\n  --a    one  two\n";
  EXPECT_EQ(wrapped(text, 20), text);
  EXPECT_EQ(wrapped("1234567890 \n", 11), "1234567890 \n");
}

TEST(Wrapped, LongLinesGoOnUnderTheirFirstWord) {
  EXPECT_EQ(wrapped("one two three four\n", 9), "one two\nthree\nfour\n");
  const std::string space(32, ' ');
  EXPECT_EQ(wrapped(space + "one two three\n", 40), space + "one two\n" + space + "three\n");
  EXPECT_EQ(wrapped("größer als ü\n", 10), "größer als\nü\n");
}

TEST(Wrapped, OptionsGoOnInTheColumnOfDescriptions) {
  const std::string name = "  --option TEXT               ", space(30, ' ');
  EXPECT_EQ(wrapped(name + "one two three\n", 38), name + "one two\n" + space + "three\n");
}

TEST(Wrapped, AWordThatIsTooLongStaysWhole) {
  EXPECT_EQ(wrapped("a123456789012345 b\n", 10), "a123456789012345 b\n");
}

TEST(FormatHelp, FitsAHundredColumns) {
  CLI::App app("what it does", "name");
  std::string kind, entries;
  app.add_option("--kind", kind, "a long description of the kind " + std::string(100, 'x').replace(50, 1, " "));
  std::string list;
  for (int i = 0; i < 50; ++i) list += "entry" + std::to_string(i) + ", ";
  app.add_option("--list", entries, list);
  std::istringstream lines(format_help(&app, "name", CLI::AppFormatMode::Normal));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 100u) << line;
  EXPECT_GT(count, 8);
}

}  // namespace
}  // namespace uvic::help_test
