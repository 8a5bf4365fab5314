#include "app/cli/seeds.h"

#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace uvic::seeds_test {
namespace {

using Seeds = std::vector<uint64_t>;

TEST(ParseSeeds, NumbersAndRanges) {
  EXPECT_EQ(parse_seeds("0-3,7"), (Seeds{0, 1, 2, 3, 7}));
  EXPECT_EQ(parse_seeds("5-5"), (Seeds{5}));
  EXPECT_EQ(parse_seeds("9,2-3,2"), (Seeds{9, 2, 3, 2}));  // in the order given, twice if given twice
  EXPECT_EQ(parse_seeds("0-999999").size(), 1'000'000u);
}

TEST(ParseSeeds, UpToTheLargestOfAll) {
  constexpr uint64_t kLargest = 18446744073709551615u;
  EXPECT_EQ(parse_seeds("18446744073709551615"), (Seeds{kLargest}));
  EXPECT_EQ(parse_seeds("18446744073709551613-18446744073709551615,0"),
            (Seeds{kLargest - 2, kLargest - 1, kLargest, 0}));
  for (const char* more : {"0-18446744073709551615", "1-18446744073709551615", "0-1000000", "0-999999,1"})
    expect_mentions(error_of([&] { parse_seeds(more); }), {more, "more than 1000000 seeds"});
  for (const char* none : {"18446744073709551616", "-1", "", "1,", "3-1", "0x10", "1 2", "99999999999999999999-5"})
    expect_mentions(error_of([&] { parse_seeds(none); }), {none, "expected numbers and ranges"});
}

TEST(ParseColumns, HoldsWhatIsDrawn) {
  EXPECT_EQ(parse_columns("2x3", 6), 3);
  EXPECT_EQ(parse_columns("10000x4", 6), 4);  // room for more
  EXPECT_EQ(parse_columns("auto", 6), 0);
  EXPECT_EQ(parse_columns("", 6), 0);
  expect_mentions(error_of([] { parse_columns("2x3", 7); }), {"2x3", "6 images", "7 are drawn"});
  for (const char* none :
       {"18446744073709551615x2", "10001x1", "1x10001", "0x1", "1x0", "2x", "x2", "-1x2", "2 x3", "6"})
    expect_mentions(error_of([&] { parse_columns(none, 1); }), {none, "ROWSxCOLUMNS"});
}

TEST(ParseShare, OneOfSoMany) {
  EXPECT_FALSE(parse_share(""));
  EXPECT_EQ(parse_share("0/1")->text(), "0/1");
  EXPECT_EQ(parse_share("2/3")->rank, 2);
  EXPECT_EQ(parse_share("2/3")->size, 3);
  for (const char* none : {"0/0", "3/2", "2/2", "x", "1", "/", "1/", "/2", "-1/2", "1/2/3", "0/100001", "1 /2", "+1/2"})
    expect_mentions(error_of([&] { parse_share(none); }), {none, "expected I/N", "0/4"});
}

}  // namespace
}  // namespace uvic::seeds_test
