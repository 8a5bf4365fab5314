#include "transformer/visible_keys.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/temporary.h"

namespace uvic::visible_keys_test {
namespace {

// sees(image, query, key) for all of them, and what the kernels are told means the same.
void expect_mask(const VisibleKeys& keys, int64_t images, int64_t queries, int64_t count,
                 const std::function<bool(int64_t, int64_t, int64_t)>& sees) {
  const VisibleKeys taken = checked(keys, images, queries, count, at::kCPU);
  for (const VisibleKeys& each : {keys, taken}) {
    const Tensor mask = dense_mask(each, count, at::kCPU).expand({images, queries, count});
    for (int64_t b = 0; b < images; ++b)
      for (int64_t i = 0; i < queries; ++i)
        for (int64_t j = 0; j < count; ++j)
          EXPECT_EQ(mask[b][i][j].item<bool>(), sees(b, i, j)) << b << ' ' << i << ' ' << j;
  }
}

TEST(VisibleKeys, CausalOnesOfTheLastQueries) {
  for (const int64_t queries : {1, 3, 9})
    expect_mask(causal_keys(queries, 9), 1, queries, 9,
                [&](int64_t, int64_t i, int64_t j) { return j <= 9 - queries + i; });
}

TEST(VisibleKeys, FirstOnesOfEachImage) {
  const std::vector<int64_t> lengths{0, 3, 5};
  expect_mask(first_keys(at::tensor(lengths, at::kLong), 4), 3, 4, 5,
              [&](int64_t b, int64_t, int64_t j) { return j < lengths[b]; });
}

TEST(VisibleKeys, DocumentsKeepToThemselves) {
  // The number of beginnings up to a token is that of its document (a count of the BOS).
  const Tensor begins = at::tensor({0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0}, at::kLong).view({2, 7}).to(at::kBool);
  const Tensor number = begins.to(at::kLong).cumsum(1);
  expect_mask(document_keys(begins), 2, 7, 7, [&](int64_t b, int64_t i, int64_t j) {
    return j <= i && number[b][i].item<int64_t>() == number[b][j].item<int64_t>();
  });
}

// arXiv 2404.09173, Fig. 1: j <= i and i / B - j / B <= M.
TEST(VisibleKeys, BlocksAndTheWholeOnesBefore) {
  for (const int64_t segments : {0, 1, 2, 9})
    expect_mask(block_window_keys(11, 3, segments), 1, 11, 11,
                [&](int64_t, int64_t i, int64_t j) { return j <= i && i / 3 - j / 3 <= segments; });
}

TEST(VisibleKeys, BlocksOfPicturesOnOneSideOrBoth) {
  constexpr int64_t kPrefix = 2;
  for (const bool both : {false, true})
    for (const int64_t segments : {0, 1, 2})
      expect_mask(block_window_keys(12, 3, segments, kPrefix, both), 1, 12, 12, [&](int64_t, int64_t i, int64_t j) {
        if (i < kPrefix || j < kPrefix) return true;
        const int64_t back = (i - kPrefix) / 3 - (j - kPrefix) / 3;
        return back <= segments && back >= (both ? -segments : 0);
      });
}

TEST(VisibleKeys, AreCutToTheKeysThereAre) {
  const VisibleKeys keys{.prefix = 2,
                         .first = at::tensor({-5, 1, 4, 3}, at::kLong).view({1, 4}),
                         .last = at::tensor({3, 99, 1, 3}, at::kLong).view({1, 4})};
  const VisibleKeys taken = checked(keys, 3, 4, 6, at::kCPU);
  EXPECT_TRUE(at::equal(taken.first, at::tensor({2, 2, 4, 3}, at::kInt).view({1, 4})));
  EXPECT_TRUE(at::equal(taken.last, at::tensor({3, 6, 4, 3}, at::kInt).view({1, 4})));
  EXPECT_FALSE(checked({.prefix = 6, .first = keys.first, .last = keys.last}, 3, 4, 6, at::kCPU).first.defined());
  EXPECT_THROW(checked(keys, 3, 5, 6, at::kCPU), c10::Error);
  EXPECT_THROW(checked({.prefix = -1}, 3, 4, 6, at::kCPU), c10::Error);
}

}  // namespace
}  // namespace uvic::visible_keys_test
