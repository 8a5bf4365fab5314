#include "encoders/fingerprint.h"

#include <gtest/gtest.h>

#include "core/pickle/pth.h"
#include "tests/random_weights.h"
#include "tests/temporary.h"

namespace uvic::fingerprint_test {
namespace {

AutoencoderConfig tiny() {
  AutoencoderConfig config;
  config.stem = 32;
  config.channels = {32, 32};
  config.attention = {false, false};
  config.res_blocks = 1;
  return config;
}

TEST(Fingerprint, IsOfWhatIsComputedNotOfTheFile) {
  const TemporaryFolder folder;
  TensorMap weights = random_weights(AutoencoderKl(tiny()).parameters(), 1);
  const std::string hash = fingerprint(AutoencoderKl(weights, "test"));
  write_safetensors(folder / "a.safetensors", {weights, {{"note", "another file"}}});
  write_pth(folder / "a.pth", weights);
  EXPECT_EQ(fingerprint(load_autoencoder(folder / "a.safetensors")), hash);
  EXPECT_EQ(fingerprint(load_autoencoder(folder / "a.pth")), hash);

  EXPECT_NE(fingerprint(AutoencoderKl(weights, "test", /*groups=*/16)), hash);
  TensorMap halves;
  for (const auto& [name, tensor] : weights) halves[name] = tensor.to(at::kHalf);
  EXPECT_NE(fingerprint(AutoencoderKl(halves, "test")), hash);
  weights["encoder.conv_in.bias"][3] += 1e-6;
  EXPECT_NE(fingerprint(AutoencoderKl(weights, "test")), hash);
}

}  // namespace
}  // namespace uvic::fingerprint_test
