#include "app/cli/unexpected.h"

#include <gtest/gtest.h>

namespace uvic::unexpected_test {
namespace {

TEST(Unexpected, NamesTheWordsInOrderAndTheNearestOption) {
  CLI::App app;
  app.add_flag("--quiet");
  CLI::App* command = app.add_subcommand("draw");
  std::string value;
  command->add_option("-s,--steps,--train.steps", value);
  app.parse("draw");
  EXPECT_EQ(unexpected(app, {"--stesp", "4"}), "not expected: --stesp 4 (did you mean --steps?)");
  EXPECT_EQ(unexpected(app, {"--train.step=4", "--qiet"}),
            "not expected: --train.step=4 --qiet (did you mean --train.steps, --quiet?)");
  EXPECT_EQ(unexpected(app, {"--wrong", "word"}), "not expected: --wrong word");
}

}  // namespace
}  // namespace uvic::unexpected_test
