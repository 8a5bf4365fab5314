#include "app/training/caption_states.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/files.h"
#include "core/image/image.h"
#include "tests/temporary.h"

namespace uvic::caption_states_test {
namespace {

constexpr int64_t kLength = 12;

class CaptionStream : public ::testing::Test {
 protected:
  const fs::path folder_ = fs::path(UVIC_TEST_DATA) / "bert";
  std::shared_ptr<const Dataset> data_ = open_dataset(Spec::parse("shapes?size=16&limit=32"));
  std::unique_ptr<TextEncoder> text_ = load_text_encoder(folder_);
  std::shared_ptr<const CaptionStates> states_ = std::make_shared<CaptionStates>(*data_, *text_, kLength);
  StreamConfig config_{.seed = 3, .context_tokens = kLength};

  bool is_near(const Tensor& states, const std::string& caption) const {
    const at::NoGradGuard no_grad;
    return at::allclose(states, (*text_)(caption, kLength)[0], 2e-3, 2e-3);  // float16
  }
};

TEST_F(CaptionStream, PairsEveryPictureWithACaptionOfIts) {
  config_.drop_condition = 0;
  const Batch batch = make_caption_stream(data_, states_, config_)({16, 16});
  ASSERT_EQ(batch.condition.context.sizes(), (at::IntArrayRef{16, kLength, 16}));
  for (int64_t i = 0; i < 16; ++i) {
    bool found = false;
    for (int64_t j = 0; j < data_->size() && !found; ++j) {
      if (!at::equal(to_float(data_->images(std::vector<int64_t>{j}))[0], batch.x[i])) continue;
      const auto captions = data_->captions(j);
      found = std::ranges::any_of(captions, [&](const auto& c) { return is_near(batch.condition.context[i], c); });
    }
    EXPECT_TRUE(found) << i;
  }
}

TEST_F(CaptionStream, DrawsThePicturesAndDropsAsAStreamOfWordsDoes) {
  config_.drop_condition = 0.5;
  const Batch batch = make_caption_stream(data_, states_, config_)({0, 16});
  std::vector<std::string> captions;
  for (int64_t i = 0; i < data_->size(); ++i)
    for (const std::string& caption : data_->captions(i)) captions.push_back(caption);
  const Batch words = make_stream(data_, Vocabulary::build(captions, 100), config_)({0, 16});
  EXPECT_TRUE(at::equal(batch.x, words.x));
  int64_t dropped = 0;
  for (int64_t i = 0; i < 16; ++i) {
    const bool empty = words.condition.context[i].eq(Vocabulary::kPad).all().item<bool>();
    EXPECT_EQ(is_near(batch.condition.context[i], ""), empty) << i;
    dropped += empty;
  }
  EXPECT_GT(dropped, 2);
  EXPECT_LT(dropped, 14);
}

TEST_F(CaptionStream, SaysWhatDoesNotFit) {
  RunConfig config;
  config.data.text_encoder = folder_.string();
  config.model.context_dim = 8;
  config.model.context_tokens = kLength;
  expect_mentions(error_of([&] { source_of_states(config, data_); }),
                  {"width 16", "takes 8", "--model.context_dim 16"});
  config.model.context_dim = 16;
  config.model.context_tokens = 29;
  expect_mentions(error_of([&] { source_of_states(config, data_); }), {"2 to 28 tokens", "takes 29"});
}

}  // namespace
}  // namespace uvic::caption_states_test
