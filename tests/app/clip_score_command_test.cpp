#include "app/draw/pipeline.h"
#include "app/draw/recipe.h"
#include "core/formats/npz.h"
#include "eval/stats.h"
#include "tests/app/fid_command.h"
#include "tests/core/pack.h"
#include "tests/encoders/random_clip.h"

namespace uvic::clip_score_command_test {
namespace {

class ClipScoreCommandTest : public FidCommandTest {
 protected:
  void SetUp() override {
    FidCommandTest::SetUp();
    write_clip(folder_ / "clip", random_clip_weights());
  }

  nlohmann::json score(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "clip-score");
    arguments.insert(arguments.end(), {"--clip", (folder_ / "clip").string()});
    return run_json(arguments);
  }
  double value(const std::vector<std::string>& arguments) const { return score(arguments)["value"].get<double>(); }
  std::string problem(const std::vector<std::string>& arguments) const {
    return error_of([&] { score(arguments); });
  }
  std::string put(const std::string& name, const std::string& text) const { return folder_.put(name, text).string(); }

  const std::vector<std::string> captions_ = {"a red bus", "two giraffes", "a cat on a bed"};
};

// The text's projection leads from its state straight to the image.
TEST_F(ClipScoreCommandTest, ParallelIsAHundredAndOppositeZero) {
  const at::NoGradGuard no_grad;
  const std::string images = write_images(folder_, "one", shapes(1, 40));
  const std::string prompts = put("prompts.txt", "a green star\n");
  TensorMap weights = random_clip_weights();
  const ClipModel clip = load_clip_model(folder_ / "clip");
  const ClipConfig& config = clip.net.config();
  const Tokens tokens = clip.tokenizer.encode("a green star", config.text.max_position_embeddings);
  const Tensor state = ClipText(config.text, weights, "test")(at::tensor(tokens.ids, at::kLong).unsqueeze(0));
  const Tensor image =
      clip.net.of_images(clip_input(read_image(images + "/000000.png").permute({2, 0, 1}), 32, "it").unsqueeze(0));
  for (const double sign : {1.0, -1.0}) {
    weights["text_projection.weight"] = (sign * at::outer(image[0], state[0][tokens.used - 1])).contiguous();
    write_clip(folder_ / "clip", weights);
    const auto said = score({images, "--prompts", prompts});
    EXPECT_NEAR(said["value"].get<double>(), sign > 0 ? 100 : 0, 1e-4);
    EXPECT_EQ(said["images"], 1);
    EXPECT_FALSE(said.contains("spread"));
  }
}

TEST_F(ClipScoreCommandTest, CaptionsAreTheSameWhereverTheyStand) {
  const std::vector<Tensor> pictures = shapes(3, 40);
  const std::string plain = write_images(folder_, "plain", pictures);
  const std::string prompts = put("prompts.txt", "a red bus\ntwo giraffes\na cat on a bed\n");
  const auto want = score({plain, "--prompts", prompts});
  EXPECT_EQ(want["images"], 3);
  EXPECT_EQ(want["label"], "CLIP score");
  EXPECT_EQ(want["spread_of"], "95%");
  EXPECT_GT(want["spread"].get<double>(), 0);

  const std::string beside = write_images(folder_, "beside", pictures);
  const std::string drawn = (folder_ / "drawn").string();
  for (size_t i = 0; i < pictures.size(); ++i) {
    put(fmt::format("beside/{:06}.txt", i), captions_[i] + "\nanother caption\n");
    Recipe recipe;
    recipe.prompt = captions_[i];
    write_png(fmt::format("{}/{:06}.png", drawn, i), pictures[i], {{kParametersKey, to_parameters(recipe)}});
  }
  write_png(folder_ / "drawn/grid-000.png", pictures[0]);
  PackedFiles files;
  for (const char* name : {"000002.png", "grid-000.png", "000000.png", "000001.png"})
    files.emplace_back(name, read_file(fs::path(drawn) / name, "image"));
  const std::string packed = (folder_ / "drawn.tar.gz").string();
  pack(packed, files);
  for (const std::string& images : {beside, drawn, "folder:" + beside})
    EXPECT_EQ(value({images}), want["value"]) << images;
  EXPECT_DOUBLE_EQ(value({packed}), want["value"]);  // in the order of the archive: the sum may be rounded otherwise
  EXPECT_EQ(value({plain, "--prompts", "folder:" + beside}), want["value"]);
  EXPECT_EQ(value({beside, "--num", "2"}), value({"folder:" + beside, "--num", "2"}));
  EXPECT_NE(value({beside, "--num", "2"}), want["value"]);
  EXPECT_NE(value({plain, "--prompts", put("turned.txt", "two giraffes\na red bus\na cat on a bed\n")}), want["value"]);
}

TEST_F(ClipScoreCommandTest, AModelDrawsWhatTheCaptionsSay) {
  const std::string model = write_tiny_model(folder_).string();
  const std::string prompts = put("prompts.txt", "a red circle\na blue square\n");
  const auto said = score({model, "--prompts", prompts, "--num", "3", "--steps", "1"});
  EXPECT_GT(said["value"].get<double>(), 0);
  EXPECT_EQ(said["images"], 3);
  EXPECT_EQ(said["steps"], 1);
  EXPECT_EQ(score({model, "--prompts", prompts})["images"], 2);

  const Model loaded = load_model(model, at::kCPU);
  GenerateOptions how{.settings = loaded.card.config.sample};
  how.settings.sampler.steps = 1;
  const std::vector<std::string> texts{"a red circle", "a blue square", "a red circle"};  // cyclically
  std::vector<Request> requests;
  for (size_t i = 0; i < texts.size(); ++i)
    requests.push_back({.seed = i, .prompt = texts[i], .negative = "", .label = {}});
  std::vector<Tensor> images;
  for (const Drawing& drawing : generate(loaded, requests, how)) images.push_back(drawing.image);
  const std::string drawn = write_images(folder_, "drawn", images);
  EXPECT_EQ(value({drawn, "--prompts", put("three.txt", "a red circle\na blue square\na red circle\n")}),
            said["value"]);

  // Without captions of its own it takes those of the data it was trained with.
  EXPECT_EQ(value({model, "--num", "3"}), value({model, "--num", "3", "--prompts", "shapes?size=16&split=test"}));
}

// Without a caption too: what cannot be read needs none.
TEST_F(ClipScoreCommandTest, WhatCannotBeSeenIsLeftOut) {
  const std::string images = write_images(folder_, "images", shapes(2, 20)),
                    whole = read_file(images + "/000001.png", "");
  put("images/000000.txt", "a red bus\n");
  const auto left_out = [&](const std::string& what) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(score({images})["images"], 1);
    expect_mentions(testing::internal::GetCapturedStderr(), {"000001.png", what, "left out"});
  };
  expect_mentions(problem({images}), {"no caption for 000001.png"});
  write_png(images + "/000001.png", at::zeros({1, 999, 3}, at::kByte));
  put("images/000001.txt", "a line\n");
  left_out("999 x 1 pixels");
  fs::remove(images + "/000001.txt");
  for (const size_t length : {size_t{0}, size_t{30}, whole.size() - 20}) {
    put("images/000001.png", whole.substr(0, length));
    left_out("000001.png");
  }
  expect_mentions(problem({images, "--prompts", put("one.txt", "a red bus\n")}), {"1 captions", "2 images"});
  put("images/000000.png", "no picture");
  expect_mentions(problem({images}), {"only 0 of its images can be read", "needs 1"});

  write_png(images + "/000000.png", shapes(1, 20)[0]);
  write_png(images + "/000001.png", shapes(1, 20)[0], {{kParametersKey, "drawn elsewhere"}});
  expect_mentions(problem({images}), {"no caption for 000001.png", "--prompts"});
}

TEST_F(ClipScoreCommandTest, SaysWhatIsWrong) {
  const std::string images = write_images(folder_, "images", shapes(3, 20));
  put("images/000000.txt", "a red bus\n");
  put("images/000002.txt", "a cat\n");
  expect_mentions(problem({images}), {"no caption for 000001.png", "000001.txt", "--prompts"});
  expect_mentions(problem({images, "--prompts", put("two.txt", "a\nb\n")}), {"2 captions", "3 images"});
  expect_mentions(problem({images, "--prompts", put("four.txt", "a\nb\nc\nd\n")}), {"4 captions", "3 images"});
  const std::string four = (folder_ / "four.txt").string(), two = (folder_ / "two.txt").string();
  for (const char* num : {"2", "3", "4"})
    expect_mentions(problem({images, "--prompts", four, "--num", num}), {"4 captions", "3 images"});
  expect_mentions(problem({images, "--prompts", two, "--num", "1"}), {"2 captions", "3 images"});
  EXPECT_EQ(score({images, "--prompts", two, "--num", "2"})["images"], 2);
  EXPECT_EQ(score({"shapes?count=5", "--prompts", four, "--num", "2"})["images"], 2);
  expect_mentions(problem({"shapes?count=5", "--prompts", four}), {"4 captions", "5 images"});
  expect_mentions(problem({"shapes?count=2", "--prompts", four, "--num", "3"}), {"4 captions", "2 images"});
  const std::string rows = put("images/metadata.jsonl", R"({"file_name": "000000.png", "text": "a red bus"})");
  expect_mentions(problem({images, "--prompts", rows}), {rows, "JSON", "folder:" + images});
  fs::remove(rows);
  for (const std::string& file : {images + "/000000.png", put("latin.txt", "caf\xe9\na\nb\n")})
    expect_mentions(problem({images, "--prompts", file}), {file, "UTF-8"});
  expect_mentions(problem({images, "--prompts", "nowhere.txt"}), {"no 'nowhere.txt'", "one a line"});
  expect_mentions(problem({images, "--prompts", "folder:" + images}), {"image 1", "no caption"});
  expect_mentions(problem({images, "--prompts", "two.txt", "--steps", "2"}), {"--steps applies to models only"});
  write_npz(folder_ / "array.npz", {{"arr_0", at::zeros({2, 8, 8, 3}, at::kByte)}});
  expect_mentions(problem({(folder_ / "array.npz").string()}), {"array.npz", "no captions", "--prompts"});
  EXPECT_EQ(score({(folder_ / "array.npz").string(), "--prompts", put("two.txt", "a\nb\n")})["images"], 2);
  write_gaussian(folder_ / "stats.npz", {at::zeros({2}, at::kDouble), at::eye(2, at::kDouble), 9});
  expect_mentions(problem({(folder_ / "stats.npz").string()}), {"stats.npz", "no images"});

  fs::remove(folder_ / "clip/config.json");
  expect_mentions(problem({images}), {"no CLIP in", "clip-vit-base-patch32"});
  put("clip/config.json", R"({"model_type": "clip_text_model"})");
  expect_mentions(problem({images}), {"text_config"});
}

}  // namespace
}  // namespace uvic::clip_score_command_test
