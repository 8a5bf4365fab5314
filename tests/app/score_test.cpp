#include "app/score/score.h"

#include <cmath>

#include "tests/app/fid_command.h"

namespace uvic::score_test {
namespace {

TEST_F(FidCommandTest, EqualSetsAreAtZeroOtherShapesNearAndNoiseFar) {
  NEEDS_WEIGHTS();
  at::manual_seed(1);
  std::vector<Tensor> noise;
  for (int i = 0; i < 16; ++i) noise.push_back(at::randint(256, {32, 32, 3}, at::kByte));
  const std::string statistics = (folder_ / "shapes.npz").string();
  run({"stats", "shapes?count=16", "--out", statistics, "--features", "efficientnet-lite0"});

  const auto same = run_json({"fid", statistics, write_images(folder_, "same", shapes(16, 32))});
  const auto others = run_json({"fid", statistics, "shapes?split=test&count=16"});
  const auto far = run_json({"fid", write_images(folder_, "noise", noise), statistics});
  EXPECT_NEAR(same["value"].get<double>(), 0, 1e-3 * far["value"].get<double>());
  EXPECT_GT(others["value"].get<double>(), 10 * same["value"].get<double>());
  EXPECT_GT(far["value"].get<double>(), 2 * others["value"].get<double>());
  EXPECT_EQ(same["label"], "FD(efficientnet-lite0)");
  EXPECT_EQ(same["features"], "efficientnet-lite0");
  EXPECT_EQ(same["weights"], "57934424");
  EXPECT_EQ(same["a"]["images"], 16);
  EXPECT_EQ(same["b"]["source"], (folder_ / "same").string());
}

TEST_F(FidCommandTest, FilesOfAllSizesCountButGridsAndCorruptOnesDoNot) {
  std::vector<Tensor> images = shapes(3, 32);
  for (Tensor& image : shapes(2, 48)) images.push_back(image.narrow(0, 0, 40));
  const std::string path = write_images(folder_, "mixed", images);
  write_png(folder_ / "mixed/deep/in/it.png", images[0]);
  write_png(folder_ / "mixed/grid-000.png", images[0]);
  folder_.put("mixed/broken.jpg", "no picture");
  folder_.put("mixed/notes.txt", "no picture either");

  const auto source = file_images(FileTree(path));
  EXPECT_EQ(source->size(), 7);
  std::map<std::vector<int64_t>, int64_t> sizes;
  std::vector<std::string> damaged;
  const auto reader = source->open(source->size());
  while (const auto images = reader->next({}))
    for (const SourceImage& image : *images) {
      try {
        ++sizes[decode(image).sizes().vec()];
      } catch (const Error& error) {
        damaged.push_back(error.what());
      }
    }
  ASSERT_EQ(damaged.size(), 1);
  expect_mentions(damaged[0], {"broken.jpg"});
  EXPECT_EQ(reader->done(), 7);
  EXPECT_EQ(sizes, (std::map<std::vector<int64_t>, int64_t>{{{3, 32, 32}, 4}, {{3, 40, 48}, 2}}));

  // Only those that are wanted, by what they are made from.
  std::vector<int64_t> seen;
  const auto some = source->open(4);
  while (const auto images = some->next(
             [](int64_t index, std::string_view content) { return index != 1 && image_format(content) == "png"; }))
    for (const SourceImage& image : *images) seen.push_back(image.index);
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 2, 3}));
}

// Damaged files and those of other sizes share a batch with the others.
TEST_F(FidCommandTest, DamagedFilesAreLeftOutOfAScore) {
  NEEDS_WEIGHTS();
  std::vector<Tensor> images = shapes(5, 32);
  for (const Tensor& image : shapes(2, 48)) images.push_back(image.narrow(0, 0, 40));
  const std::string whole = write_images(folder_, "whole", images), part = write_images(folder_, "part", images);
  folder_.put("part/000000a.jpg", "no picture");
  testing::internal::CaptureStderr();
  const auto score = run_json({"fid", part, whole, "--features", "efficientnet-lite0"});
  expect_mentions(testing::internal::GetCapturedStderr(), {"000000a.jpg", "left out"});
  EXPECT_EQ(score["a"]["images"], 7);
  EXPECT_NEAR(score["value"].get<double>(), 0, 1e-6);
  const std::string one = write_images(folder_, "one", shapes(1, 32));
  folder_.put("one/b.png", "no picture");
  expect_mentions(error_of([&] { run({"fid", one, whole}); }), {one, "only 1 of its images"});
}

TEST_F(FidCommandTest, AModelDrawsWhatTheOtherSideShows) {
  NEEDS_WEIGHTS();
  const std::string model = write_tiny_model(folder_).string();
  const std::vector<std::string> arguments = {"fid", model, "shapes?size=16&count=8", "--features",
                                              "efficientnet-lite0"};
  const auto score = run_json(arguments);
  EXPECT_TRUE(std::isfinite(score["value"].get<double>()));
  EXPECT_EQ(score["a"]["images"], 8);
  EXPECT_EQ(score["a"]["sampler"], "ddim");
  EXPECT_EQ(score["a"]["steps"], 2);
  EXPECT_EQ(score["a"]["guidance"], 1.0);
  EXPECT_FALSE(score["b"].contains("sampler"));

  // The flags change the images; the batch only the order in which their features are summed.
  auto with = [&](const std::vector<std::string>& flags) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), flags.begin(), flags.end());
    return run_json(all);
  };
  EXPECT_NEAR(with({"--batch", "3"})["value"].get<double>(), score["value"].get<double>(), 1e-6);
  const auto other = with({"--cfg-scale", "3", "--num", "5"});
  EXPECT_NE(other["value"], score["value"]);
  EXPECT_EQ(other["a"]["images"], 5);
  EXPECT_EQ(other["b"]["images"], 5);
  EXPECT_EQ(other["a"]["guidance"], 3.0);

  // Training prints the same number.
  const Model loaded = load_model(model, at::kCPU);
  ModelScorer scorer({.num = 8, .features = "efficientnet-lite0", .against = ""},
                     open_dataset("shapes?size=16&count=8"));
  for (int repeat = 0; repeat < 2; ++repeat) {
    const auto during = scorer(loaded, loaded.card.config.sample);
    ASSERT_TRUE(during);
    EXPECT_EQ(during->label, "FD(efficientnet-lite0)");
    EXPECT_EQ(during->value, score["value"].get<double>());
    EXPECT_EQ(during->interval, score["metrics"]["FD"]["spread"].get<double>());
  }
}

TEST_F(FidCommandTest, ConditionsComeFromTheOtherSideElseFromTheModelsOwnData) {
  const Model model = load_model(write_tiny_model(folder_), at::kCPU);
  const std::shared_ptr<const Dataset> other = open_dataset("shapes?count=4");
  EXPECT_EQ(conditions_for(model, other, 4), other);
  write_images(folder_, "bare", shapes(2, 16));
  const auto bare = open_dataset("folder:" + (folder_ / "bare").string());
  const auto own = conditions_for(model, bare, 5);
  ASSERT_TRUE(own);
  EXPECT_EQ(own->size(), 5);
  EXPECT_EQ(own->captions(0), open_dataset("shapes?split=test&count=16")->captions(0));
}

TEST_F(FidCommandTest, StatisticsKeepTheirNotesAndAreNotOverwritten) {
  NEEDS_WEIGHTS();
  const std::string file = (folder_ / "a.npz").string();
  const std::vector<std::string> arguments = {"stats",      "shapes?count=6",     "--out", file,
                                              "--features", "efficientnet-lite0", "--num", "4"};
  expect_mentions(run(arguments), {file, "4 images", "efficientnet-lite0"});
  std::map<std::string, std::string> notes;
  const Gaussian gaussian = read_gaussian(file, &notes);
  EXPECT_EQ(gaussian.n, 4);
  EXPECT_EQ(gaussian.mu.size(0), 1280);
  EXPECT_EQ(notes["features"], "efficientnet-lite0");
  EXPECT_EQ(notes["weights"], "57934424");
  expect_mentions(notes["source"], {"shapes?count=6"});
  expect_mentions(notes["version"], {"uvic"});

  expect_mentions(error_of([&] { run(arguments); }), {file, "exists", "--force"});
  expect_mentions(error_of([&] { run({"stats", file, "--out", (folder_ / "b.npz").string()}); }), {file, "already"});
  expect_mentions(error_of([&] { run({"stats", "shapes", "--out", "b.txt"}); }), {"b.txt", ".npz"});
  std::vector<std::string> again = arguments;
  again.back() = "5";
  again.push_back("--force");
  run(again);
  EXPECT_EQ(read_gaussian(file).n, 5);
}

TEST_F(FidCommandTest, TwoStatisticsNeedNoNetwork) {
  const auto write = [&](const std::string& name, double mean, int64_t dims, const std::string& features) {
    const Tensor mu = at::full({dims}, mean, at::kDouble);
    std::map<std::string, std::string> notes;
    if (!features.empty()) notes = {{"features", features}, {"weights", "01234567"}};
    write_gaussian(folder_ / name, {mu, at::eye(dims, at::kDouble), 5000}, notes);
    return (folder_ / name).string();
  };
  const std::string a = write("a.npz", 0, 4, "dinov2"), b = write("b.npz", 0.5, 4, "dinov2");
  const std::string bare = write("c.npz", 1, 4, ""), strange = write("f.npz", 0, 4, "x");
  // Equal covariances: the squared distance of the means.
  EXPECT_EQ(run({"fid", a, b}),
            fmt::format("FD(dinov2, weights 01234567) 1.0000   A: {} (5000 images)  B: {} (5000 images)\n", a, b));
  expect_mentions(run({"fid", a, bare}), {"FD(4 features) 4.0000"});
  expect_mentions(run({"fid", strange, strange}), {"FD(4 features) 0.0000"});  // no network of ours
  expect_mentions(error_of([&] { run({"fid", a, write("d.npz", 0, 4, "y")}); }), {a, "d.npz", "'dinov2'", "'y'"});
  expect_mentions(error_of([&] { run({"fid", a, write("e.npz", 0, 5, "dinov2")}); }), {"e.npz", "4", "5"});
  expect_mentions(error_of([&] { run({"fid", a, b, "--num", "3"}); }), {"--num"});
  EXPECT_EQ(run({"fid", a, b, "--features", "dinov2"}), run({"fid", a, b}));
  for (const auto& [flag, value] :
       {std::pair("--features", "inception-fid"), std::pair("--weights", "w.pth"), std::pair("--resize", "clean"),
        std::pair("--preset", "shapes"), std::pair("--model.depth", "4")})
    expect_mentions(error_of([&] { run({"fid", a, b, flag, value}); }), {flag});
}

TEST_F(FidCommandTest, MistakesAreNamed) {
  const std::string missing = (folder_ / "nowhere").string();
  expect_mentions(error_of([&] {
                    run({"fid", missing, "shapes"});
                  }),
                  {missing, "folder or archive", "SPEC", ".npz", "run folder"});
  const std::string text = folder_.put("a.txt", "x").string();
  expect_mentions(error_of([&] { run({"fid", text, "shapes"}); }), {text, "folder or archive"});
  folder_.put("empty/a.txt", "x");
  expect_mentions(error_of([&] { run({"fid", (folder_ / "empty").string(), "shapes"}); }), {"empty", "no images"});
  const std::string one = write_images(folder_, "one", shapes(1, 32));
  expect_mentions(error_of([&] { run({"fid", "shapes?count=4", one}); }), {one, "1 image", "2"});
  EXPECT_THROW(run({"fid", "shapes", "shapes", "--features", "vgg"}), CLI::ValidationError);
  expect_mentions(error_of([&] { run({"fid", "shapes", "shapes", "--steps", "4"}); }), {"--steps", "models"});
  const std::string weights = write_tiny_model(folder_).string();
  expect_mentions(
      error_of([&] {
        run({"fid", "shapes?count=4", "shapes?count=4", "--features", "efficientnet-lite0", "--weights", weights});
      }),
      {weights});
}

TEST_F(FidCommandTest, StatisticsOfAnotherNetworkAreRefused) {
  NEEDS_WEIGHTS();
  const auto write = [&](const std::string& name, int64_t dims, const std::map<std::string, std::string>& notes) {
    write_gaussian(folder_ / name, {at::zeros({dims}, at::kDouble), at::eye(dims, at::kDouble), 0}, notes);
    return (folder_ / name).string();
  };
  const std::string other = write("other.npz", 1280, {{"features", "inception-fid"}});
  const std::string narrow = write("narrow.npz", 64, {});
  for (const std::string& file : {other, narrow})
    expect_mentions(error_of([&] {
                      run({"fid", file, "shapes?count=4", "--features", "efficientnet-lite0"});
                    }),
                    {file});
}

}  // namespace
}  // namespace uvic::score_test
