#include "app/draw/album.h"

#include <gtest/gtest.h>

#include "tests/random_model.h"
#include "tests/temporary.h"

namespace uvic::album_test {
namespace {

const Tensor kImage = at::full({16, 16, 3}, 7, at::kByte);

class AlbumTest : public testing::Test {
 protected:
  AlbumTest() : model_(random_model(false)) {
    plan_.prompts = {""};
    plan_.seeds = {5, 6, 7, 8};
    how_.settings.sampler.steps = 3;
  }

  // The names that are printed while at most `count` of what is missing is "drawn".
  std::string draw(int64_t count, bool resume, std::optional<int64_t> grid = {}, std::optional<Share> share = {}) {
    testing::internal::CaptureStdout();
    PictureFiles files(out(), false);
    Album album(model_, plan_, how_, files, grid, share);
    if (resume) share ? album.resume_share() : album.resume(DrawnBefore(out()));
    if (share) album.expect_free();
    const bool all = album.drawn() + count >= album.size();
    for (; count > 0; --count)
      if (const auto request = album.next())
        album.add(*request, {kImage + static_cast<int64_t>(request->seed), {kImage, kImage}});
    if (all) album.finish();
    std::string text = testing::internal::GetCapturedStdout(), names;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) names += fs::path(line).filename().string() + ' ';
    return names;
  }
  fs::path out() const { return folder_ / "out"; }

  const TemporaryFolder folder_;
  Model model_;
  SamplePlan plan_;
  GenerateOptions how_;
};

TEST_F(AlbumTest, ResumeDrawsWhatIsMissingUnderItsNumber) {
  EXPECT_EQ(draw(2, true), "000000.png 000001.png ");
  EXPECT_EQ(draw(9, true), "000002.png 000003.png ");
  EXPECT_EQ(draw(9, true), "");
  fs::remove(out() / "000001.png");
  write_png(out() / "000002.png", kImage);  // of somebody else: kept
  EXPECT_EQ(draw(9, true), "000001.png 000004.png ");
  EXPECT_EQ(read_recipe(out() / "000001.png").seed, 6u);
  EXPECT_EQ(read_recipe(out() / "000004.png").seed, 7u);
  fs::resize_file(out() / "000000.png", 100);  // damaged: not counted, not touched
  EXPECT_EQ(draw(9, true), "000005.png ");
}

TEST_F(AlbumTest, OtherRecipesAreLeftAlone) {
  draw(9, false);
  how_.settings.sampler.steps = 4;
  EXPECT_EQ(draw(2, true), "000004.png 000005.png ");
  model_.name = "under another name";
  EXPECT_EQ(draw(9, true), "000006.png 000007.png ");
  how_.settings.cfg_scale = 2;
  EXPECT_EQ(draw(1, true), "000008.png ");
  model_.hash = "0123456789";
  EXPECT_EQ(draw(1, true), "000009.png ");
}

TEST_F(AlbumTest, ASeedTwiceIsDrawnTwice) {
  plan_.seeds = {5, 5, 5};
  draw(2, false);
  EXPECT_EQ(draw(9, true), "000002.png ");
}

TEST_F(AlbumTest, GridAndStripsAreMadeAtTheEndAndOnce) {
  EXPECT_EQ(draw(3, false, 2), "000000.png 000001.png 000002.png ");
  EXPECT_EQ(draw(9, true, 2), "000003.png grid-000.png ");
  EXPECT_EQ(draw(9, true, 2), "");
  EXPECT_EQ(draw(9, true, 4), "grid-001.png ");
  how_.strip = 2;
  EXPECT_EQ(draw(1, true), "strip-000.png ");  // the picture is there
  EXPECT_EQ(draw(9, true), "strip-001.png strip-002.png strip-003.png ");
  EXPECT_EQ(draw(9, true), "");
}

TEST_F(AlbumTest, FramesAreReadForTheirStrip) {
  plan_.seeds = {5};
  plan_.common.to_seed = 9;
  plan_.mixes = {0, 0.5, 1};
  EXPECT_EQ(draw(2, false), "000000.png 000001.png ");
  EXPECT_EQ(draw(9, true), "000002.png strip-000.png ");
  EXPECT_EQ(read_image(out() / "strip-000.png").size(1), 3 * 16);
  EXPECT_EQ(draw(9, true), "");
}

TEST_F(AlbumTest, TheGridIsTheSameAfterAResume) {
  draw(9, false, 0);
  const std::string whole = read_file(out() / "grid-000.png", "grid");
  fs::remove(out() / "grid-000.png");
  fs::remove(out() / "000002.png");
  draw(9, true, 0);
  EXPECT_EQ(read_file(out() / "grid-000.png", "grid"), whole);
}

TEST_F(AlbumTest, SharesNumberFilesByRequest) {
  plan_.seeds = {5, 6, 7, 5, 6};
  EXPECT_EQ(draw(9, false, {}, Share{1, 2}), "000002.png 000003.png 000004.png ");
  EXPECT_EQ(draw(9, false, {}, Share{0, 2}), "000000.png 000001.png ");
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_EQ(read_recipe(out() / fmt::format("{:06}.png", i)).seed, plan_.seeds[static_cast<size_t>(i)]);
  const std::string text = read_file(out() / "000003.png", "picture");
  EXPECT_EQ(draw(9, true, 2), "grid-000.png ");  // of all that shares drew

  // Pictures of the same seed in other shares do not count.
  fs::remove(out() / "000003.png");
  EXPECT_EQ(draw(9, true, {}, Share{0, 2}), "");
  EXPECT_EQ(draw(9, true, {}, Share{1, 2}), "000003.png ");
  EXPECT_EQ(read_file(out() / "000003.png", "picture"), text);
}

TEST_F(AlbumTest, SharesAreWholeStrips) {
  plan_.seeds = {5, 6, 7};
  plan_.common.to_seed = 9;
  plan_.mixes = {0, 1};
  EXPECT_EQ(draw(9, false, {}, Share{1, 2}),
            "000002.png 000003.png strip-001.png 000004.png 000005.png strip-002.png ");
  EXPECT_EQ(draw(1, false, {}, Share{0, 2}), "000000.png ");
  EXPECT_EQ(draw(9, true, {}, Share{0, 2}), "000001.png strip-000.png ");
  EXPECT_EQ(draw(9, true, {}, Share{0, 2}), "");
  EXPECT_EQ(draw(9, true, {}, Share{0, 4}), "");  // one of four has none
}

TEST_F(AlbumTest, SharesReplaceNothing) {
  fs::create_directory(out());
  write_png(out() / "000001.png", kImage);
  for (const bool resume : {false, true})
    expect_mentions(error_of([&] {
                      PictureFiles files(out(), false);
                      Album album(model_, plan_, how_, files, {}, Share{0, 2});
                      if (resume) album.resume_share();
                      album.expect_free();
                    }),
                    {"000001.png exists", "--out", "--force"});
  EXPECT_FALSE(fs::exists(out() / "000000.png"));
  EXPECT_EQ(draw(9, false, {}, Share{1, 2}), "000002.png 000003.png ");

  const PictureFiles files(out(), false);
  expect_mentions(error_of([&] { files.write_as(files.numbered(1), kImage, {}); }), {"000001.png exists"});
  EXPECT_EQ(PictureFiles(out(), true).write_as(files.numbered(1), kImage, {}), out() / "000001.png");
}

TEST(PictureFiles, NeverOverwriteWhatComesMeanwhile) {
  const TemporaryFolder folder;
  PictureFiles files(folder.path(), false);
  EXPECT_EQ(files.write(kImage, {}).filename(), "000000.png");
  folder.put("000001.png", "theirs");
  folder.put("strip-000.png", "theirs");
  EXPECT_EQ(files.write(kImage, {}).filename(), "000002.png");
  EXPECT_EQ(files.write_named("strip", kImage, {}).filename(), "strip-001.png");
  EXPECT_EQ(read_file(folder / "000001.png", "file"), "theirs");

  PictureFiles single(folder / "X.PNG", false);
  EXPECT_TRUE(single.single_file());
  folder.put("X.PNG", "theirs");
  expect_mentions(error_of([&] { single.write(kImage, {}); }), {"X.PNG exists", "--force"});
  EXPECT_EQ(read_file(folder / "X.PNG", "file"), "theirs");
  EXPECT_EQ(PictureFiles(folder / "X.PNG", true).write(kImage, {}), folder / "X.PNG");
  EXPECT_EQ(read_image(folder / "X.PNG").size(0), 16);
}

TEST(PictureFiles, AreNoJpegs) {
  const TemporaryFolder folder;
  for (const char* name : {"x.jpg", "x.JPEG", "x.webp", "x.Gif", "x.tiff"})
    expect_mentions(error_of([&] { PictureFiles(folder / name, false); }), {name, "PNG", "folder"});
  EXPECT_TRUE(fs::is_empty(folder.path()));
  fs::create_directory(folder / "old.jpg");
  EXPECT_FALSE(PictureFiles(folder / "old.jpg", false).single_file());
  EXPECT_FALSE(PictureFiles(folder / "v1.5", false).single_file());
}

}  // namespace
}  // namespace uvic::album_test
