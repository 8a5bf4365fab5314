#include "app/training/sample_grid.h"

#include <gtest/gtest.h>

#include "core/image/image.h"
#include "core/interrupt.h"
#include "tests/random_model.h"

namespace uvic::sample_grid_test {
namespace {

Model model() {
  Model model = random_model(false);
  model.card.config.output.grid = 2;
  model.card.config.sample.sampler.steps = 2;
  return model;
}

const TrainingSource kPictures{.batch_at = {}, .request = [](int64_t) { return Request(); }};

TEST(SampleGrid, HasThePicturesOfTheFirstSeedsInRows) {
  const Model of = model();
  std::vector<Tensor> pictures;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Request request;
    request.seed = seed;
    pictures.push_back(
        generate(of, std::vector{request}, {.settings = {.sampler = of.card.config.sample.sampler}})[0].image);
  }
  const Tensor grid = draw_sample_grid(of, kPictures);
  EXPECT_TRUE(at::equal(grid, make_grid(pictures, {}, {.columns = 2})));
  std::swap(pictures[1], pictures[2]);
  EXPECT_FALSE(at::equal(grid, make_grid(pictures, {}, {.columns = 2})));
}

TEST(SampleGridDeathTest, IsInterruptedBetweenNetworkCalls) {
  const auto draw_after_ctrl_c = [] {
    interrupt();
    try {
      draw_sample_grid(model(), kPictures);
    } catch (const Interrupted&) {
      std::exit(kExitInterrupted);
    }
    std::exit(0);
  };
  EXPECT_EXIT(draw_after_ctrl_c(), testing::ExitedWithCode(kExitInterrupted), "");
}

}  // namespace
}  // namespace uvic::sample_grid_test
