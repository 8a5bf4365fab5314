#include "core/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "core/image/image.h"
#include "datasets/dataset.h"
#include "tests/core/pack.h"
#include "tests/temporary.h"

namespace uvic::interrupt_test {
namespace {

// For a process of its own, since an interrupt cannot be taken back.
[[noreturn]] void open_after_ctrl_c(const std::string& kind, const std::string& name) {
  int code = 0;
  {
    const TemporaryFolder folder;
    const std::string picture = encode_png(at::zeros({32, 32, 3}, at::kByte));
    for (const char* file : {"data/train/cat/a.png", "data/train/dog/b.png"}) folder.put(file, picture);
    pack(folder / "data.tar", {{"train/cat/a.png", picture}, {"train/dog/b.png", picture}});
    watch_interrupts();
    std::raise(SIGINT);
    try {
      open_dataset(kind + ":" + (folder / name).string());
    } catch (const Interrupted&) {
      code = kExitInterrupted;
    }
  }
  std::_Exit(code);
}

TEST(InterruptDeathTest, OpeningADataSetStopsAtTheFirstCtrlC) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  for (const char* kind : {"folder", "cifar10"})
    for (const char* name : {"data", "data.tar"})
      EXPECT_EXIT(open_after_ctrl_c(kind, name), testing::ExitedWithCode(kExitInterrupted), "") << kind << ' ' << name;
}

}  // namespace
}  // namespace uvic::interrupt_test
