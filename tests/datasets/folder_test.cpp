#include "datasets/folder.h"

#include <gtest/gtest.h>

#include "core/image/image.h"
#include "datasets/pictures.h"
#include "tests/core/pack.h"
#include "tests/temporary.h"

namespace uvic::folder_test {
namespace {

std::string plain_png(int64_t height, int64_t width, int grey) {
  return encode_png(at::full({height, width, 3}, grey, at::kByte));
}

std::shared_ptr<const Dataset> open(const fs::path& path, const std::string& options = "") {
  return open_dataset("folder:" + path.string() + options);
}

// The grey of each image's first pixel.
std::vector<int> greys(const Dataset& data) {
  std::vector<int> values;
  for (int64_t i = 0; i < data.size(); ++i) values.push_back(data.images(std::vector{i})[0][0][0][0].item<int>());
  return values;
}

using Strings = std::vector<std::string>;

TEST(Folder, ReadsImagesSortedByPath) {
  const TemporaryFolder folder;
  folder.put("b.png", plain_png(8, 8, 20));
  folder.put("a/z.png", plain_png(8, 8, 10));
  folder.put("c.bmp.txt", "no image, and the caption of none");
  folder.put(".hidden.png", "not an image");
  const auto data = open(folder.path());
  EXPECT_EQ(greys(*data), (std::vector{10, 20}));
  EXPECT_EQ(data->image_size(), 8);
  EXPECT_EQ(data->skipped(), 0);
  EXPECT_TRUE(data->classes().empty());
  EXPECT_EQ(data->label(0), -1);
  const Tensor both = data->images(std::vector<int64_t>{1, 0, 1});
  EXPECT_EQ(both.sizes(), (std::vector<int64_t>{3, 3, 8, 8}));
  EXPECT_EQ(both[1][2][7][7].item<int>(), 10);
  expect_mentions(data->description(), {"2 images of 8 x 8"});
}

TEST(Folder, CropsAndResizesEveryFormat) {
  const fs::path images = fs::path(UVIC_TEST_DATA) / "images";
  const auto data = open(images, "?size=6");
  EXPECT_EQ(data->image_size(), 6);
  EXPECT_EQ(data->skipped(), 0);
  Strings names;
  for (const auto& item : fs::directory_iterator(images)) names.push_back(item.path().filename());
  std::sort(names.begin(), names.end());
  ASSERT_EQ(data->size(), static_cast<int64_t>(names.size()));
  for (int64_t i = 0; i < data->size(); ++i) {
    const Tensor expected = center_crop_resize(read_image(images / names[i]), 6).permute({2, 0, 1});
    EXPECT_TRUE(at::equal(data->images(std::vector{i})[0], expected)) << names[i];
  }
}

TEST(Folder, AsksForASizeWhereSizesDiffer) {
  const TemporaryFolder folder;
  folder.put("a.png", plain_png(8, 8, 1));
  folder.put("b.png", plain_png(9, 9, 2));
  expect_mentions(error_of([&] { open(folder.path()); }), {"b.png", "9 x 9", "8 x 8", "?size=8"});
  folder.put("b.png", plain_png(8, 9, 2));
  expect_mentions(error_of([&] { open(folder.path()); }), {"b.png", "9 x 8", "?size=8"});
  EXPECT_EQ(open(folder.path(), "?size=4")->size(), 2);
}

TEST(Folder, TakesClassesFromSubFolders) {
  const TemporaryFolder folder;
  folder.put("dog/1.png", plain_png(4, 4, 30));
  folder.put("cat/deep/er.png", plain_png(4, 4, 10));
  folder.put("cat/1.png", plain_png(4, 4, 20));
  const auto data = open(folder.path());
  EXPECT_EQ(data->classes(), (Strings{"cat", "dog"}));
  EXPECT_EQ(greys(*data), (std::vector{20, 10, 30}));
  EXPECT_EQ((std::vector{data->label(0), data->label(1), data->label(2)}), (std::vector<int64_t>{0, 0, 1}));
  folder.put("loose.png", plain_png(4, 4, 40));
  EXPECT_TRUE(open(folder.path())->classes().empty());
}

TEST(Folder, KnowsSplits) {
  const TemporaryFolder folder;
  folder.put("train/cat/1.png", plain_png(4, 4, 10));
  folder.put("train/dog/1.png", plain_png(4, 4, 20));
  folder.put("val/dog/2.png", plain_png(4, 4, 30));
  EXPECT_EQ(greys(*open(folder.path())), (std::vector{10, 20}));
  const auto test = open(folder.path(), "?split=test");
  EXPECT_EQ(greys(*test), (std::vector{30}));
  EXPECT_EQ(test->classes(), (Strings{"cat", "dog"}));  // the same ids as in train, though there are no cats
  EXPECT_EQ(test->label(0), 1);
  folder.put("test/dog/3.png", plain_png(4, 4, 40));
  EXPECT_EQ(greys(*open(folder.path(), "?split=test")), (std::vector{40}));
}

TEST(Folder, SaysWhichSplitIsMissing) {
  const TemporaryFolder folder;
  folder.put("a.png", plain_png(4, 4, 1));
  expect_mentions(error_of([&] { open(folder.path(), "?split=test"); }), {"no test/", "split"});
  const TemporaryFolder only_test;
  only_test.put("test/a.png", plain_png(4, 4, 1));
  expect_mentions(error_of([&] { open(only_test.path()); }), {"no train/"});
}

TEST(Folder, ReadsCaptions) {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "b.png", "sub/c.png", "d.jpg.png"}) folder.put(name, plain_png(4, 4, 1));
  folder.put("metadata.jsonl", R"({"file_name": "a.png", "text": " a red car "}

{"file_name": "./sub/c.png", "text": ["one", "two"], "width": 4}
{"file_name": "gone.png", "text": "of no image"}
)");
  folder.put("a.txt", "the table above wins");
  folder.put("b.txt", "first\r\n\n  second  \n");
  const auto data = open(folder.path());
  EXPECT_EQ(data->captions(0), Strings{"a red car"});
  EXPECT_EQ(data->captions(1), (Strings{"first", "second"}));
  EXPECT_EQ(data->captions(2), Strings{});
  EXPECT_EQ(data->captions(3), (Strings{"one", "two"}));
  expect_mentions(data->description(), {"captions"});
}

TEST(Folder, CountsWhatBelongsToNoPicture) {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "b.png", "sub/c.png"}) folder.put(name, plain_png(4, 4, 1));
  folder.put("metadata.jsonl",
             "\xEF\xBB\xBF"
             R"({"file_name": "a.PNG", "text": "of no picture"}
{"file_name": "sub\\c.png", "text": "of no picture"}
{"file_name": "gone.png", "text": "of no picture"}
{"file_name": "metadata.jsonl", "text": "of no picture"}
{"file_name": "b.png", "caption": "the other key", "prompt": "no"}
{"file_name": "a.png", "prompt": "another key"}
{"file_name": "a.png", "label": 0, "class": "cat"}
{"file_name": "a.png"}
{"file_name": "a.png", "text": "the usual key", "caption": "comes second"}
)");
  ::testing::internal::CaptureStderr();
  const auto data = open(folder.path());
  const std::string log = ::testing::internal::GetCapturedStderr();
  expect_mentions(log, {"metadata.jsonl: line 1: there is no picture 'a.PNG' (there is 'a.png'); left out",
                        "3 more like these (lines of metadata.jsonl that belong to no picture)", "line 6 has neither"});
  EXPECT_EQ(data->captions(0), Strings{"the usual key"});
  EXPECT_EQ(data->captions(1), Strings{"the other key"});
  EXPECT_EQ(data->captions(2), Strings{});
  ASSERT_EQ(data->left_out().size(), 2u);
  EXPECT_EQ(data->left_out()[0].count, 4);
  expect_mentions(data->left_out()[0].first, {"line 1", "a.PNG"});
  EXPECT_EQ(data->left_out()[1].count, 1);
  EXPECT_EQ(data->skipped(), 5);

  ::testing::internal::CaptureStderr();
  folder.put("metadata.jsonl", R"({"file_name": "sub\\c.png", "text": "x"})");
  expect_mentions(open(folder.path())->left_out()[0].first, {"sub\\c.png", "there is 'sub/c.png'"});
  fs::remove(folder / "metadata.jsonl");
  folder.put("a.TXT", "in capitals");
  folder.put("gone.txt", "of no picture");
  const auto texts = open(folder.path(), "?limit=1");
  EXPECT_EQ(texts->captions(0), Strings{"in capitals"});
  ASSERT_EQ(texts->skipped(), 1);
  expect_mentions(texts->left_out()[0].first, {"gone.txt"});
  ::testing::internal::GetCapturedStderr();
}

TEST(Folder, CountsFilesThatAreNotRead) {
  const TemporaryFolder folder;
  folder.put("train/a.png", plain_png(4, 4, 1));
  folder.put("train/b.AVIF", "a");
  folder.put("train/c.heic", "a");
  folder.put("train/IMG_1", plain_png(4, 4, 1));
  folder.put("train/metadata.csv", "file_name,text");
  folder.put("train/.hidden", "a");
  folder.put("test/d.avif", "of the other split");
  folder.put("test/d.png", plain_png(4, 4, 1));
  ::testing::internal::CaptureStderr();
  const auto data = open(folder.path());
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(data->size(), 1);
  EXPECT_EQ(data->skipped(), 4);
  std::map<std::string, std::pair<int64_t, std::string>> kinds;
  for (const auto& kind : data->left_out()) kinds[kind.name] = {kind.count, kind.first};
  EXPECT_EQ(kinds.size(), 3u);
  EXPECT_EQ(kinds["pictures in a format that is not read"].first, 2);
  expect_mentions(kinds["pictures in a format that is not read"].second, {"train/b.AVIF"});
  expect_mentions(kinds["files without an ending"].second, {"train/IMG_1"});
  expect_mentions(kinds["files that are neither pictures nor captions"].second, {"train/metadata.csv"});
  expect_mentions(log, {"b.AVIF", "1 more like these (pictures in a format that is not read)", "IMG_1"});
}

TEST(Folder, OfTwoFilesOfANameInAnArchiveTheLastCounts) {
  const TemporaryFolder folder;
  for (const char* name : {"x.tar", "x.zip"}) {
    pack(folder / name, {{"a.png", plain_png(4, 4, 10)},
                         {"b.png", plain_png(4, 4, 20)},
                         {"./a.png", plain_png(4, 4, 30)},
                         {"a.png", plain_png(4, 4, 40)}});
    ::testing::internal::CaptureStderr();
    const auto data = open(folder / name);
    expect_mentions(::testing::internal::GetCapturedStderr(), {"holds 'a.png' twice, and the last one counts"});
    EXPECT_EQ(greys(*data), (std::vector{40, 20})) << name;
    EXPECT_EQ(data->skipped(), 2) << name;
  }
}

TEST(Folder, RefusesTextThatIsNotUtf8) {
  const TemporaryFolder folder;
  folder.put("a.png", plain_png(4, 4, 1));
  folder.put("a.txt", "fine\na caf\xE9\n");
  expect_mentions(error_of([&] { open(folder.path()); }), {"a.txt, line 2", "a caf\\xe9", "iconv"});
  folder.put("a.txt", std::string_view("\xFF\xFE"
                                       "a\0",
                                       4));
  expect_mentions(error_of([&] { open(folder.path()); }), {"a.txt", "UTF-16"});
  folder.put("a.txt", "\xEF\xBB\xBFwith a mark");
  EXPECT_EQ(open(folder.path())->captions(0), Strings{"with a mark"});
  folder.put("metadata.jsonl", "\n{\"file_name\": \"a.png\", \"text\": \"caf\xE9\"}");
  expect_mentions(error_of([&] { open(folder.path()); }), {"metadata.jsonl, line 2", "caf\\xe9"});
  fs::remove(folder / "metadata.jsonl");
  folder.put("cat/b.png", plain_png(4, 4, 1));
  folder.put("caf\xE9/c.png", plain_png(4, 4, 1));
  EXPECT_EQ(open(folder.path())->size(), 3);  // a.png has no class, so there are none
  fs::remove(folder / "a.png");
  expect_mentions(error_of([&] { open(folder.path()); }), {"class folder 'caf\\xe9'", "UTF-8"});
}

TEST(Folder, NamesTheBadLineOfMetadata) {
  const TemporaryFolder folder;
  folder.put("a.png", plain_png(4, 4, 1));
  const std::string deep(1'000'000, '[');
  for (const char* line :
       {"{\"file_name\": 3}", "[]", "{\"file_name\": \"a.png\", \"text\": 7}", "{\"file_na", deep.c_str()}) {
    folder.put("metadata.jsonl", std::string("{\"file_name\": \"a.png\", \"text\": \"x\"}\n") + line);
    expect_mentions(error_of([&] { open(folder.path()); }), {"metadata.jsonl", "line 2"});
  }
}

TEST(Folder, LeavesOutCorruptImagesUnlessStrict) {
  const TemporaryFolder folder;
  for (int i = 0; i < 100; ++i) folder.put(fmt::format("{:03}.png", i), plain_png(4, 4, i));
  folder.put("007.png", "garbage");
  folder.put("008.png", plain_png(4, 4, 9).substr(0, 60));
  folder.put("050.jpg", "");
  folder.put("009.txt", "nine");
  ::testing::internal::CaptureStderr();
  const auto data = open(folder.path());
  expect_mentions(::testing::internal::GetCapturedStderr(), {"007.png", "008.png", "050.jpg"});
  EXPECT_EQ(data->skipped(), 3);
  EXPECT_EQ(data->size(), 98);
  std::vector<int> expected;
  for (int i = 0; i < 100; ++i)
    if (i != 7 && i != 8) expected.push_back(i);
  EXPECT_EQ(greys(*data), expected);
  EXPECT_EQ(data->captions(7), Strings{"nine"});  // captions move along with their images
  expect_mentions(error_of([&] { open(folder.path(), "?strict=true"); }), {"007.png"});
}

TEST(Folder, RefusesWhatHoldsNoImages) {
  const TemporaryFolder folder;
  expect_mentions(error_of([&] { open(folder.path()); }), {"no images", folder.path().string()});
  expect_mentions(error_of([&] { open(folder / "nowhere"); }), {"nowhere", "does not exist"});
  expect_mentions(error_of([&] { open(folder.put("a.jpeg", "x")); }), {"a.jpeg", "neither a folder nor"});
  expect_mentions(error_of([&] { open_dataset("folder:"); }), {"no path"});
  expect_mentions(error_of([&] { open(folder.path(), "?colour=red"); }), {"colour"});
  ::testing::internal::CaptureStderr();
  expect_mentions(error_of([&] { open(folder.path()); }), {"none of its 1 images"});
  ::testing::internal::GetCapturedStderr();
}

TEST(Folder, StopsAtTheLimit) {
  const TemporaryFolder folder;
  for (int i = 0; i < 5; ++i) folder.put(fmt::format("{}.png", i), plain_png(4, 4, i));
  EXPECT_EQ(greys(*open(folder.path(), "?limit=2")), (std::vector{0, 1}));
  EXPECT_EQ(open(folder.path(), "?limit=50")->size(), 5);
}

TEST(Folder, ReadsArchivesLikeFolders) {
  const TemporaryFolder folder;
  const fs::path path = folder / "cars.tar";
  pack(path, {{"./cars/train/red/2.png", plain_png(4, 4, 20)},
              {"./cars/train/red/1.txt", "a small red car"},
              {"./cars/train/blue/9.png", plain_png(4, 4, 5)},
              {"./cars/test/red/3.png", plain_png(4, 4, 30)},
              {"./cars/train/red/1.png", plain_png(4, 4, 10)}});
  const auto data = open(path);
  EXPECT_EQ(greys(*data), (std::vector{5, 10, 20}));
  EXPECT_EQ(data->classes(), (Strings{"blue", "red"}));
  EXPECT_EQ(data->label(0), 0);
  EXPECT_EQ(data->label(2), 1);
  EXPECT_EQ(data->captions(1), Strings{"a small red car"});
  EXPECT_EQ(greys(*open(path, "?split=test")), (std::vector{30}));
}

TEST(PictureSet, GivesTheSameWithAndWithoutMemory) {
  const TemporaryFolder folder;
  std::vector<Picture> pictures;
  at::manual_seed(3);
  for (int i = 0; i < 4; ++i) {
    const std::string name = fmt::format("{}.png", i);
    folder.put(name, encode_png(at::randint(256, {9 + i, 12, 3}, at::kByte)));
    pictures.push_back({name, i, {}});
  }
  folder.put("1.png", "garbage");
  ::testing::internal::CaptureStderr();
  const PictureSet stored(LeftOut("here"), FileTree(folder.path()), pictures, {}, {.size = 5});
  const PictureSet read(LeftOut("there"), FileTree(folder.path()), pictures, {}, {.size = 5, .memory_limit = 0});
  expect_mentions(::testing::internal::GetCapturedStderr(), {"here", "there", "1.png"});
  const std::vector<int64_t> indices = {2, 0, 1, 2};
  EXPECT_TRUE(at::equal(stored.images(indices), read.images(indices)));
  EXPECT_EQ(read.label(1), 2);
  fs::remove(folder / "3.png");
  EXPECT_TRUE(at::equal(stored.images(indices), stored.images(indices)));
  expect_mentions(error_of([&] { read.images(indices); }), {"3.png"});
}

TEST(FileTree, LinksBackAreNotFollowed) {
  const TemporaryFolder folder;
  folder.put("a/b/1.png", "1");
  folder.put("elsewhere/2.png", "2");
  fs::create_directory_symlink(folder.path(), folder / "a/b/up");
  fs::create_directory_symlink(folder / "elsewhere", folder / "a/there");
  EXPECT_EQ(FileTree(folder / "a").names(), (std::vector<std::string>{"b/1.png", "there/2.png"}));
}

}  // namespace
}  // namespace uvic::folder_test
