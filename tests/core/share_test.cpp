#include "core/share.h"

#include <gtest/gtest.h>

namespace uvic::share_test {
namespace {

TEST(Share, PartsFollowOneAnotherAndDifferByAtMostOne) {
  for (const int64_t size : {1, 2, 3, 7, 16})
    for (const int64_t n : {0, 1, 2, 3, 5, 16, 17, 99, 782}) {
      int64_t next = 0;
      for (int64_t rank = 0; rank < size; ++rank) {
        const Stretch part = Share{rank, size}.of(n);
        EXPECT_EQ(part.begin, next);
        EXPECT_GE(part.size(), n / size);
        EXPECT_LE(part.size(), (n + size - 1) / size);
        next = part.end;
      }
      EXPECT_EQ(next, n);
    }
}

TEST(Share, OfTenForThree) {
  EXPECT_EQ((Share{0, 3}.of(10).end), 3);
  EXPECT_EQ((Share{1, 3}.of(10).end), 6);
  EXPECT_EQ((Share{2, 3}.of(10).size()), 4);
  EXPECT_EQ((Share{2, 3}.text()), "2/3");
  EXPECT_TRUE((Share{1, 3}.of(10).has(3)));
  EXPECT_FALSE((Share{1, 3}.of(10).has(6)));
}

}  // namespace
}  // namespace uvic::share_test
