#include "app/model/identify.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/formats/npz.h"
#include "core/formats/safetensors.h"
#include "core/image/image.h"
#include "core/pickle/pth.h"
#include "tests/temporary.h"

namespace uvic::identify_test {
namespace {

TEST(Identify, EveryKindOfPath) {
  const TemporaryFolder folder;
  const TensorMap some{{"x", at::ones({2})}};
  folder.put("run/config.toml", "");
  folder.put("bundle/model_index.json", "{}");
  folder.put("checkpoint/model_ema.safetensors", "");
  folder.put("uvit/nnet_ema.pth", "");
  folder.put("pictures/a.txt", "");
  folder.put("text.txt", "nothing");
  folder.put("pictures.tar.gz", "");
  write_safetensors(folder / "a.safetensors", {some, {}});
  write_safetensors(folder / "a.feats", {some, {}});
  write_pth(folder / "renamed.bin", some);
  write_npz(folder / "statistics.npz", {{"mu", at::ones({2})}, {"sigma", at::eye(2)}});
  write_npz(folder / "images.npz", {{"arr_0", at::zeros({1, 2, 2, 3}, at::kByte)}});
  write_npz(folder / "others.npz", some);
  write_png(folder / "picture.jpeg", at::zeros({2, 2, 3}, at::kByte));
  const std::pair<const char*, PathKind> kinds[] = {
      {"run", PathKind::kRun},
      {"bundle", PathKind::kBundle},
      {"checkpoint", PathKind::kCheckpoint},
      {"uvit", PathKind::kCheckpoint},
      {"pictures", PathKind::kFolder},
      {"text.txt", PathKind::kUnknown},
      {"pictures.tar.gz", PathKind::kArchive},
      {"a.safetensors", PathKind::kWeights},
      {"a.feats", PathKind::kFeatures},
      {"renamed.bin", PathKind::kWeights},
      {"statistics.npz", PathKind::kStatistics},
      {"images.npz", PathKind::kImageArray},
      {"others.npz", PathKind::kArrays},
      {"picture.jpeg", PathKind::kPicture},
      {"gone", PathKind::kMissing},
  };
  for (const auto& [name, kind] : kinds) EXPECT_EQ(identify(folder / name), kind) << name;
  folder.put("damaged.npz", "PK");
  expect_mentions(error_of([&] { identify(folder / "damaged.npz"); }), {"damaged.npz"});
}

}  // namespace
}  // namespace uvic::identify_test
