// uvic fid with several metrics, kept features, --doctor and --explain.
#include <cmath>

#include "app/model/identify.h"
#include "app/score/explain.h"
#include "app/score/image_source.h"
#include "core/formats/npz.h"
#include "eval/feats.h"
#include "eval/feature_cache.h"
#include "tests/app/fid_command.h"

namespace uvic::metrics_command_test {
namespace {

TEST_F(FidCommandTest, AllMetricsComeFromOnePassAndFromKeptFeatures) {
  NEEDS_WEIGHTS();
  const std::string a = "shapes?count=12", b = "shapes?split=test&count=10";
  const std::string metrics = "fid,kid,is,prdc";
  const auto direct = run_json({"fid", a, b, "--metrics", metrics, "--features", "efficientnet-lite0"});
  EXPECT_EQ(direct["label"], "FD(efficientnet-lite0)");
  EXPECT_EQ(direct["value"], direct["metrics"]["FD"]["value"]);
  EXPECT_GT(direct["metrics"]["FD"]["spread"].get<double>(), 0);
  EXPECT_EQ(direct["metrics"]["FD"]["spread_of"], "95%");
  EXPECT_GT(direct["metrics"]["IS"]["value"].get<double>(), 1);
  for (const char* share : {"precision", "recall", "coverage"}) {
    EXPECT_GE(direct["metrics"][share]["value"].get<double>(), 0);
    EXPECT_LE(direct["metrics"][share]["value"].get<double>(), 1);
  }
  EXPECT_TRUE(direct["metrics"].contains("density"));

  const std::string fa = (folder_ / "a.feats").string(), fb = (folder_ / "b.feats").string();
  run({"stats", a, "--out", fa, "--features", "efficientnet-lite0"});
  run({"stats", b, "--out", fb, "--features", "efficientnet-lite0"});
  const auto kept = run_json({"fid", fa, fb, "--metrics", metrics});
  EXPECT_EQ(kept["metrics"], direct["metrics"]);
  EXPECT_EQ(kept["label"], direct["label"]);
  EXPECT_EQ(kept["a"]["images"], 12);
  EXPECT_EQ(run_json({"fid", fa, b, "--metrics", metrics})["metrics"], direct["metrics"]);
  EXPECT_EQ(run_json({"fid", fa, fb, "--num", "8"})["a"]["images"], 8);
  EXPECT_NE(run_json({"fid", fa, fb, "--metrics", "kid", "--seed", "1"})["value"], kept["metrics"]["KID"]["value"]);

  const std::string text = run({"fid", fa, fb, "--metrics", "fid,prdc"});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6);
  expect_mentions(text, {"FD(efficientnet-lite0) ", " ± ", "(95%, n=12, weights 57934424)",
                         "\nprecision(efficientnet-lite0) ", "\nA: " + fa});

  // Statistics from kept features are those of the images.
  const std::string statistics = (folder_ / "a.npz").string();
  run({"stats", fa, "--out", statistics});
  EXPECT_NEAR(run_json({"fid", statistics, fa})["value"].get<double>(), 0, 1e-6);
  expect_mentions(error_of([&] { run({"fid", fa, statistics, "--metrics", "kid"}); }), {statistics, "kid", ".feats"});
  expect_mentions(run({"fid", statistics, fb}), {"(95%, n=12, "});
  expect_mentions(error_of([&] { run({"fid", fa, fb, "--metrics", "sfid"}); }), {fa, "spatial"});
  expect_mentions(error_of([&] { run({"fid", fa, fb, "--metrics", "kid,kid"}); }), {"kid", "twice"});
  expect_mentions(error_of([&] { run({"fid", fa, fb, "--metrics", "prdc", "--num", "5"}); }), {"prdc", "6", fa, "5"});
  expect_mentions(error_of([&] { run({"fid", a, fb, "--metrics", "sfid"}); }), {"sfid", "inception-fid"});
  EXPECT_THROW(run({"fid", fa, fb, "--metrics", "fid,lpips"}), CLI::ValidationError);
}

TEST_F(FidCommandTest, KeptFeaturesAreGoneOnWith) {
  NEEDS_WEIGHTS();
  const std::string part = (folder_ / "part.feats").string(), whole = (folder_ / "whole.feats").string();
  const auto stats = [&](const std::string& source, const std::string& out, const std::string& num) {
    return run({"stats", source, "--out", out, "--num", num, "--features", "efficientnet-lite0"});
  };
  const std::string images = write_images(folder_, "images", shapes(9, 32));
  stats(images, part, "4");
  expect_mentions(stats(images, part, "9"), {part, "9 images"});
  stats(images, whole, "9");
  EXPECT_TRUE(read_feats(part).activations.features.equal(read_feats(whole).activations.features));
  EXPECT_TRUE(read_feats(part).activations.logits.equal(read_feats(whole).activations.logits));
  EXPECT_EQ(read_feats(part).notes, read_feats(whole).notes);
  EXPECT_TRUE(read_feats(part).keys.equal(read_feats(whole).keys));
  at::manual_seed(1);
  const std::string others =
      write_images(folder_, "others", {at::randint(256, {8, 8, 3}, at::kByte), at::randint(256, {8, 8, 3}, at::kByte)});
  expect_mentions(error_of([&] { stats(others, part, "2"); }), {part, "exists", "other images", "--force"});
  EXPECT_EQ(read_feats(part).notes, read_feats(whole).notes);
}

// What of a set has changed is computed again, what is new is added, what is gone is left out; where it lies and what
// its files are called does not matter.
TEST_F(FidCommandTest, KeptFeaturesFollowTheImages) {
  NEEDS_WEIGHTS();
  const std::string file = (folder_ / "x.feats").string();
  std::vector<Tensor> images = shapes(6, 32);
  const auto stats = [&](const std::string& source, const std::string& out) {
    run({"stats", source, "--out", out, "--features", "efficientnet-lite0"});
    return read_feats(out);
  };
  const Tensor before = stats(write_images(folder_, "images", images), file).activations.features;
  std::swap(images[0], images[5]);
  images[2] = shapes(9, 32)[8];
  const std::string moved = write_images(folder_, "moved", images);
  const FeatsFile after = stats(moved, file), fresh = stats(moved, (folder_ / "fresh.feats").string());
  EXPECT_TRUE(after.keys.equal(fresh.keys));
  EXPECT_LT((after.activations.features - fresh.activations.features).abs().max().item<float>(), 1e-4);
  EXPECT_TRUE(after.activations.features[0].equal(before[5]));
  EXPECT_GT((after.activations.features[2] - before[2]).abs().max().item<float>(), 0.01);

  // An archive goes by its own order, a file by that of the names.
  folder_.put("moved.tar", "");
  ASSERT_EQ(std::system(fmt::format("cd {} && tar -cf ../moved.tar 000003.png 000000.png 000005.png 000001.png "
                                    "000004.png 000002.png",
                                    moved)
                            .c_str()),
            0);
  const FeatsFile packed = stats((folder_ / "moved.tar").string(), (folder_ / "packed.feats").string());
  EXPECT_TRUE(packed.keys.equal(fresh.keys));
  EXPECT_LT((packed.activations.features - fresh.activations.features).abs().max().item<float>(), 1e-4);
}

TEST_F(FidCommandTest, UnfinishedFeaturesSaySo) {
  Activations four{at::arange(12).to(at::kFloat).view({4, 3}), {}, {}};
  const fs::path file = folder_ / "part.feats";
  const std::map<std::string, std::string> notes = {{"features", "x"}, {"weights", "0"}};
  FeatureCache cache(file, notes, 6, false);
  const auto content = [](int64_t i) { return "image " + std::to_string(i); };
  for (const int64_t i : {3, 1, 0, 4}) EXPECT_TRUE(cache.needs(i, content(i)));
  cache.add(four, std::vector<int64_t>{3, 1, 0, 4});
  cache.save();
  EXPECT_EQ(read_feats(file).notes.at("unfinished"), "4 of 6 images");
  testing::internal::CaptureStderr();
  run({"fid", file.string(), file.string()});
  expect_mentions(testing::internal::GetCapturedStderr(), {file.string(), "unfinished", "4 of 6 images"});

  FeatureCache again(file, notes, 6, false);
  EXPECT_EQ(again.rows(), 4);
  std::vector<int64_t> missing;
  for (int64_t i = 0; i < 6; ++i)
    if (again.needs(i, content(i))) missing.push_back(i);
  EXPECT_EQ(missing, (std::vector<int64_t>{2, 5}));
  again.add({at::full({1, 3}, 7.0f), {}, {}}, std::vector<int64_t>{5});  // 2 cannot be read
  EXPECT_EQ(again.finish(), 5);
  const FeatsFile whole = read_feats(file);
  EXPECT_FALSE(whole.notes.contains("unfinished"));
  EXPECT_TRUE(whole.activations.features.equal(
      at::cat({four.features.index_select(0, at::tensor({2, 1, 0, 3}, at::kLong)), at::full({1, 3}, 7.0f)})));
  expect_mentions(error_of([&] {
                    FeatureCache(file, {{"features", "y"}, {"weights", "0"}}, 6, false);
                  }),
                  {file.string(), "'x'", "'y'", "--force"});
  EXPECT_EQ(FeatureCache(file, {{"features", "y"}}, 6, true).rows(), 0);
  FeatureCache more(file, notes, 6, false);
  EXPECT_TRUE(more.needs(2, content(2)));
  expect_mentions(error_of([&] {
                    more.add({at::ones({1, 3}), at::ones({1, 2}), {}}, std::vector<int64_t>{2});
                  }),
                  {file.string(), "--force"});
}

TEST_F(FidCommandTest, DamagedFeaturesAreNamed) {
  const auto error = [&](const std::string& name, const TensorMap& tensors) {
    write_safetensors(folder_ / name, {tensors, {}});
    return error_of([&] { read_feats(folder_ / name); });
  };
  expect_mentions(error("none.feats", {{"x", at::ones({2, 2})}}), {"none.feats", "features", "uvic stats"});
  expect_mentions(error("type.feats", {{"features", at::ones({2, 2}, at::kDouble)}}), {"type.feats", "float32"});
  expect_mentions(error("rows.feats", {{"features", at::ones({2, 2})}, {"logits", at::ones({3, 2})}}), {"3 rows", "2"});
  expect_mentions(error("empty.feats", {{"features", at::ones({2, 0})}}), {"empty.feats", "[2, 0]"});
  expect_mentions(error("keys.feats", {{"features", at::ones({2, 2})}, {"keys", at::ones({3}, at::kLong)}}),
                  {"keys", "[2] int64"});
  expect_mentions(error("nan.feats", {{"features", at::full({2, 2}, std::nan(""))}}), {"nan.feats", "non-finite"});
  const std::string text = folder_.put("text.feats", "no features").string();
  expect_mentions(error_of([&] { run({"fid", text, text}); }), {text, "safetensors"});
}

TEST_F(FidCommandTest, AnArrayOfImagesIsAsGoodAsFiles) {
  const std::vector<Tensor> images = shapes(5, 32);
  write_npz(folder_ / "set.npz", {{"arr_0", at::stack(images)}, {"arr_1", at::arange(5)}});
  EXPECT_EQ(identify(folder_ / "set.npz"), PathKind::kImageArray);
  const auto seen = read_images(*array_images(folder_ / "set.npz"), {1, 4});
  ASSERT_EQ(seen.size(), 2);
  for (const auto& [i, image] : seen) EXPECT_TRUE(image.equal(images[i].permute({2, 0, 1})));
  write_npz(folder_ / "grey.npz", {{"arr_0", at::zeros({5, 8, 8}, at::kByte)}});
  expect_mentions(error_of([&] {
                    run({"fid", (folder_ / "grey.npz").string(), "shapes?count=4"});
                  }),
                  {"grey.npz", "arr_0", "[5, 8, 8]", "[N, H, W, 3]"});
}

TEST_F(FidCommandTest, TheDoctorSeesWhatIsWrongWithTwoSets) {
  std::vector<Tensor> images = shapes(6, 32);
  images.push_back(images[0]);
  const std::string a = write_images(folder_, "a", images), b = write_images(folder_, "b", shapes(20, 16));
  write_png(folder_ / "b/large.png", images[0]);
  const auto found = run_json({"fid", a, b, "--doctor"});
  const std::string list = found["found"].dump();
  expect_mentions(list,
                  {"A has 7 images", "2048", "B mixes 2 sizes", "16 x 16 in 95%", "A: 1 of 7 images repeat another",
                   "A is 32 x 32 and B is 16 x 16", "1 images are in A and in B", "A has 7 images and B 21"});
  EXPECT_EQ(found["a"], "A: " + a + ", 7 images of 32 x 32, png");

  folder_.put("b/broken.png", "no picture");
  folder_.put("b/jpeg.png", read_file(fs::path(UVIC_TEST_DATA) / "images" / "grey.jpg", "test data"));
  expect_mentions(run({"fid", a, b, "--doctor"}), {"B: 1 files cannot be read", "B mixes file formats, most are png"});
  const std::string grey = read_file(fs::path(UVIC_TEST_DATA) / "images" / "grey.jpg", "test data");
  for (int i = 0; i < 4; ++i) folder_.put(fmt::format("grey/{}.jpg", i), grey);
  const std::string text = run({"fid", a, (folder_ / "grey").string(), "--doctor"});
  expect_mentions(text, {"- A is png and B is jpg", "of A and 100% of B are grey", "4 images of 19 x 13, jpg"});
}

TEST_F(FidCommandTest, TheDoctorFindsNothingInTwoSoundSetsButTheirSize) {
  const auto found = run_json({"fid", "shapes?count=30&size=16", "shapes?split=test&count=30&size=16", "--doctor"});
  EXPECT_EQ(found["found"].size(), 2);  // too few, in A and in B
  const auto statistics = [&](const std::string& name, const std::map<std::string, std::string>& notes) {
    write_gaussian(folder_ / name, {at::zeros({4}, at::kDouble), at::eye(4, at::kDouble), 5000}, notes);
    return (folder_ / name).string();
  };
  const std::string known = statistics("a.npz", {{"features", "x"}, {"resize", "clean"}});
  const std::string other = statistics("b.npz", {{"features", "x"}, {"resize", "tf"}}), bare = statistics("c.npz", {});
  EXPECT_EQ(run_json({"fid", known, known, "--doctor"})["found"].size(), 0);
  expect_mentions(run({"fid", known, other, "--doctor"}), {"A comes from resize 'clean', B from 'tf'"});
  expect_mentions(run({"fid", known, bare, "--doctor"}), {"B: statistics that do not say"});
  const std::string protocol = statistics("d.npz", {{"features", "x"}, {"resize", "clean"}, {"protocol", "p"}});
  expect_mentions(run({"fid", known, protocol, "--doctor"}), {"A is of no protocol and B of p"});
}

TEST(Explain, PartsAndNeighbours) {
  const auto gaussian = [](double mean, double variance) {
    return Gaussian{at::full({3}, mean, at::kDouble), at::eye(3, at::kDouble) * variance, 0};
  };
  const FrechetParts parts = frechet_parts(gaussian(0, 1), gaussian(2, 9));
  EXPECT_NEAR(parts.means, 12, 1e-12);
  EXPECT_NEAR(parts.covariances, 12, 1e-9);
  const Tensor a = at::tensor({0.0f, 10.0f}).view({2, 1}), b = at::tensor({7.0f, 1.0f, 30.0f}).view({3, 1});
  const Nearest nearest = nearest_images(a, b);
  EXPECT_TRUE(nearest.index.equal(at::tensor({1, 0}, at::kLong)));
  EXPECT_TRUE(nearest.distance.equal(at::tensor({1.0, 3.0}, at::kDouble)));
}

TEST_F(FidCommandTest, ExplainShowsCopiesBesideTheirOriginals) {
  NEEDS_WEIGHTS();
  const std::vector<Tensor> images = shapes(6, 64);
  std::vector<Tensor> generated = {images[4]};
  at::manual_seed(1);
  for (int i = 0; i < 3; ++i) generated.push_back(at::randint(256, {64, 64, 3}, at::kByte));
  const std::string a = write_images(folder_, "a", generated), b = write_images(folder_, "b", images);
  const std::string picture = (folder_ / "pairs.png").string();
  const auto result = run_json({"fid", a, b, "--explain", picture, "--features", "efficientnet-lite0"});
  EXPECT_NEAR(result["explain"]["means"].get<double>() + result["explain"]["covariances"].get<double>(),
              result["value"].get<double>(), 1e-6);
  const Tensor grid = read_image(picture);
  const Tensor copy = grid.narrow(0, 4, 128).narrow(1, 4, 128), original = grid.narrow(0, 4, 128).narrow(1, 136, 128);
  EXPECT_TRUE(copy.equal(original));  // the first pair
  EXPECT_TRUE(copy.equal(images[4].repeat_interleave(2, 0).repeat_interleave(2, 1)));
  expect_mentions(error_of([&] { run({"fid", a, b, "--explain", picture}); }), {picture, "--force"});
  expect_mentions(error_of([&] { run({"fid", a, b, "--explain", "pairs.jpg"}); }), {"pairs.jpg", ".png"});
}

// Two data sets of three classes, of which one has other pictures in the second.
TEST_F(FidCommandTest, ExplainTellsClassesApart) {
  NEEDS_WEIGHTS();
  at::manual_seed(1);
  std::vector<Tensor> noise;
  for (int i = 0; i < 4; ++i) noise.push_back(at::randint(256, {32, 32, 3}, at::kByte));
  const std::vector<Tensor> images = shapes(16, 32);
  for (const char* set : {"a", "b"}) {
    write_images(folder_, fmt::format("{}/same", set), {images.begin(), images.begin() + 4});
    write_images(folder_, fmt::format("{}/noise", set),
                 set[0] == 'a' ? noise : std::vector<Tensor>{images.begin() + 12, images.begin() + 16});
    write_images(folder_, fmt::format("{}/single", set), {images[7]});
  }
  const auto spec = [&](const char* set) { return fmt::format("folder:{}", (folder_ / set).string()); };
  const auto result = run_json(
      {"fid", spec("a"), spec("b"), "--explain", (folder_ / "pairs.png").string(), "--features", "efficientnet-lite0"});
  const auto classes = result["explain"]["classes"];
  ASSERT_EQ(classes.size(), 2);  // one image has no covariance
  EXPECT_EQ(classes[0]["class"], "noise");
  EXPECT_EQ(classes[1]["class"], "same");
  EXPECT_EQ(classes[0]["a"], 4);
  EXPECT_GT(classes[0]["distance"].get<double>(), 1);
  EXPECT_NEAR(classes[1]["distance"].get<double>(), 0, 1e-3);
}

}  // namespace
}  // namespace uvic::metrics_command_test
