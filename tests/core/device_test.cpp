#include "core/device.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace uvic::device_test {
namespace {

TEST(Device, IsFoundByItsName) {
  EXPECT_EQ(find_device("cpu", 0, false), at::Device(at::kCPU));
  EXPECT_EQ(find_device("cuda", 1, true), at::Device(at::kCUDA, 0));
  EXPECT_EQ(find_device("cuda:7", 8, true), at::Device(at::kCUDA, 7));
}

TEST(Device, SaysWhyItIsNotThere) {
  const auto expect_error = [](const std::string& text, int64_t gpus, bool built_with_cuda, std::string_view why) {
    expect_mentions(error_of([&] { find_device(text, gpus, built_with_cuda); }),
                    {"'" + text + "' is not available", why});
  };
  expect_error("cuda", 0, false, "built without CUDA");
  expect_error("cuda", 0, true, "no CUDA GPU or no driver");
  expect_error("cuda:1", 1, true, "one CUDA GPU, cuda:0");
  expect_error("cuda:7", 2, true, "2 CUDA GPUs, cuda:0 to cuda:1");
}

TEST(Device, MultipliesFloat32AsFloat32) {
  at::globalContext().setAllowTF32CuDNN(true);
  at::globalContext().setAllowTF32CuBLAS(true);
  parse_device("cpu");
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
}

TEST(Device, HasFreeMemory) {
  EXPECT_GT(free_memory(), int64_t{1} << 20);
  EXPECT_LT(free_memory(), int64_t{1} << 50);
}

}  // namespace
}  // namespace uvic::device_test
