// What tests of `uvic fid`, `uvic stats` and `uvic clip-score` share: the commands as they would run, and images to
// score.
#pragma once

#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/model/model.h"
#include "core/image/image.h"
#include "core/progress.h"
#include "datasets/dataset.h"
#include "tests/temporary.h"

namespace uvic {

inline bool has_weights() {
  return fs::exists(cache_folder() / "weights" / "efficientnet-lite0-57934424.pth");
}

#define NEEDS_WEIGHTS() \
  if (!has_weights()) GTEST_SKIP() << "no EfficientNet-Lite0 weights in " << cache_folder() << ": run scripts/setup"

// What the command prints, as it would run behind `uvic`; its Errors come out as they are.
inline std::string run(std::vector<std::string> arguments) {
  CLI::App app;
  for (const AddCommand add : commands()) add(app);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  testing::internal::CaptureStdout();
  try {
    app.parse(arguments);
  } catch (...) {
    testing::internal::GetCapturedStdout();
    throw;
  }
  std::fflush(stdout);
  return testing::internal::GetCapturedStdout();
}

inline nlohmann::json run_json(const std::vector<std::string>& arguments) {
  set_verbosity({.json = true});
  const std::string text = run(arguments);
  set_verbosity({.quiet = true});
  return nlohmann::json::parse(text);
}

inline std::string write_images(const TemporaryFolder& folder, const std::string& name,
                                const std::vector<Tensor>& images) {
  for (size_t i = 0; i < images.size(); ++i) write_png(folder / (fmt::format("{}/{:06}.png", name, i)), images[i]);
  return (folder / name).string();
}

inline std::vector<Tensor> shapes(int64_t count, int64_t size) {
  const auto data = open_dataset(fmt::format("shapes?count={}&size={}", count, size));
  std::vector<Tensor> images;
  for (int64_t i = 0; i < count; ++i) images.push_back(data->images(std::span(&i, 1))[0].permute({1, 2, 0}));
  return images;
}

inline RunConfig tiny_config() {
  RunConfig config;
  config.model = resolve({.depth = 2,
                          .dim = 16,
                          .heads = 2,
                          .image_size = 16,
                          .patch = 8,
                          .context_tokens = 6,
                          .vocabulary = 16,
                          .attention = "softmax"});
  config.data = {.spec = "shapes?size=16&count=16", .condition = "text"};
  config.sample = {.sampler = {.kind = "ddim", .steps = 2}, .cfg_scale = 1};
  return config;
}

// An untrained model as training would save it.
inline fs::path write_tiny_model(const TemporaryFolder& folder) {
  const RunConfig config = tiny_config();
  const auto data = open_dataset(config.data.spec);
  std::vector<std::string> captions;
  for (int64_t i = 0; i < data->size(); ++i) captions.push_back(data->captions(i).front());
  const ModelCard card{.config = config, .step = 3, .classes = {}, .vocabulary = Vocabulary::build(captions, 16)};
  TensorFile file{.tensors = {}, .metadata = card.to_metadata()};
  file.tensors = to_map(UVit(config.model, 1).parameters());
  write_safetensors(folder / "tiny.safetensors", file);
  return folder / "tiny.safetensors";
}

class FidCommandTest : public testing::Test {
 protected:
  void SetUp() override {
    set_verbosity({.quiet = true});
    at::set_num_threads(1);  // LAPACK's threads wait for each other at length when other tests run beside this one
  }
  void TearDown() override { set_verbosity({}); }
  TemporaryFolder folder_;
};

}  // namespace uvic
