#include "datasets/coco_captions.h"

#include <gtest/gtest.h>

#include "core/image/image.h"
#include "tests/core/pack.h"
#include "tests/temporary.h"

namespace uvic::coco_captions_test {
namespace {

using Strings = std::vector<std::string>;

std::string picture(int grey) {
  return encode_png(at::full({6, 8, 3}, grey, at::kByte));
}

// Two images and one without a caption; ids, and the captions of an image, are not in order.
constexpr const char* kCaptions = R"({
  "info": {}, "licenses": [],
  "images": [{"id": 42, "file_name": "42.jpg", "height": 6, "width": 8, "license": 1},
             {"id": 7, "file_name": "7.jpg"}, {"id": 9, "file_name": "9.jpg"}],
  "annotations": [{"image_id": 42, "id": 3, "caption": "A cat.\n"}, {"image_id": 7, "id": 2, "caption": " A dog "},
                  {"image_id": 7, "id": 1, "caption": "A brown dog"}]})";

void put_split(const TemporaryFolder& folder, const std::string& split, int grey) {
  folder.put("annotations/captions_" + split + ".json", kCaptions);
  folder.put(split + "/7.jpg", picture(grey));
  folder.put(split + "/42.jpg", picture(grey + 1));
}

std::shared_ptr<const Dataset> open(const fs::path& path, const std::string& options = "") {
  return open_dataset("coco:" + path.string() + options);
}

int grey(const Dataset& data, int64_t index) {
  return data.images(std::vector{index})[0][0][0][0].item<int>();
}

TEST(Coco, ReadsTheOfficialLayout) {
  const TemporaryFolder folder;
  put_split(folder, "train2017", 10);
  put_split(folder, "val2017", 20);
  const auto train = open(folder.path(), "?size=4"), val = open(folder.path(), "?split=val");
  ASSERT_EQ(train->size(), 2);
  EXPECT_EQ(train->image_size(), 4);
  EXPECT_EQ(val->image_size(), 64);
  EXPECT_EQ(train->captions(0), (Strings{"A brown dog", "A dog"}));
  EXPECT_EQ(train->captions(1), Strings{"A cat."});
  EXPECT_EQ(grey(*train, 0), 10);
  EXPECT_EQ(grey(*train, 1), 11);
  EXPECT_EQ(grey(*val, 1), 21);
  EXPECT_EQ(train->skipped(), 0);
  EXPECT_EQ(open(folder.path(), "?limit=1")->size(), 1);
}

TEST(Coco, ReadsTheOfficialZipsAndArchivesOfTheWhole) {
  const TemporaryFolder folder;
  pack(folder / "annotations_trainval2014.zip", {{"annotations/captions_train2014.json", kCaptions}});
  pack(folder / "train2014.zip", {{"train2014/42.jpg", picture(11)}, {"train2014/7.jpg", picture(10)}});
  pack(folder / "all.tar", {{"coco/val2017/7.jpg", picture(20)},
                            {"coco/annotations/captions_val2017.json", kCaptions},
                            {"coco/val2017/42.jpg", picture(21)}});
  const auto zips = open(folder.path(), "?strict=true"), tar = open(folder / "all.tar", "?strict=true&split=test");
  EXPECT_EQ((std::vector{grey(*zips, 0), grey(*zips, 1)}), (std::vector{10, 11}));
  EXPECT_EQ((std::vector{grey(*tar, 0), grey(*tar, 1)}), (std::vector{20, 21}));
  EXPECT_EQ(tar->captions(1), Strings{"A cat."});
  expect_mentions(error_of([&] { open(folder.path(), "?split=val"); }),
                  {"annotations_trainval2014.zip", "captions_val2014"});
}

TEST(Coco, AsksForTheYearWhereThereAreTwo) {
  const TemporaryFolder folder;
  put_split(folder, "train2017", 10);
  put_split(folder, "train2014", 20);
  expect_mentions(error_of([&] { open(folder.path()); }), {"2014", "2017", "?year="});
  EXPECT_EQ(grey(*open(folder.path(), "?year=2014"), 0), 20);
  EXPECT_EQ(grey(*open(folder.path(), "?year=2017"), 0), 10);
  expect_mentions(error_of([&] { open(folder.path(), "?year=2015"); }), {"2015"});
}

TEST(Coco, LeavesOutMissingAndCorruptImagesUnlessStrict) {
  const TemporaryFolder folder;
  put_split(folder, "train2014", 10);
  fs::remove(folder / "train2014/7.jpg");
  ::testing::internal::CaptureStderr();
  const auto data = open(folder.path());
  expect_mentions(::testing::internal::GetCapturedStderr(), {"train2014/7.jpg", "missing"});
  EXPECT_EQ(data->size(), 1);
  EXPECT_EQ(data->skipped(), 1);
  EXPECT_EQ(data->captions(0), Strings{"A cat."});
  EXPECT_EQ(grey(*data, 0), 11);
  expect_mentions(error_of([&] { open(folder.path(), "?strict=true"); }), {"7.jpg", "missing"});
  folder.put("train2014/7.jpg", "garbage");
  expect_mentions(error_of([&] { open(folder.path(), "?strict=true"); }), {"7.jpg"});
}

TEST(Coco, KeepsCaptionsOfEqualIdsAndCountsThoseOfNoPicture) {
  const TemporaryFolder folder;
  folder.put("train2014/7.jpg", picture(1));
  folder.put("annotations/captions_train2014.json", R"({"images": [{"id": 7, "file_name": "7.jpg"},
      {"id": 7, "file_name": "8.jpg"}, {"id": 7, "file_name": "7.jpg"}],
      "annotations": [{"id": 2, "image_id": 7, "caption": "one"}, {"id": 2, "image_id": 7, "caption": "two"},
                      {"id": 2, "image_id": 9, "caption": "of no picture"},
                      {"id": 2, "image_id": 7, "caption": "three"}, {"id": 1, "image_id": 7, "caption": "first"}]})");
  ::testing::internal::CaptureStderr();
  const auto data = open(folder.path());
  expect_mentions(::testing::internal::GetCapturedStderr(), {"image id 9", "8.jpg"});
  ASSERT_EQ(data->size(), 1);
  EXPECT_EQ(data->captions(0), (Strings{"first", "one", "two", "three"}));
  EXPECT_EQ(data->skipped(), 2);
}

TEST(Coco, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  expect_mentions(error_of([&] { open(folder.path()); }), {"captions_train", "uvic data fetch mscoco"});
  folder.put("annotations/captions_train2014.json", kCaptions);
  expect_mentions(error_of([&] { open(folder.path()); }), {"no image folder train2014/"});
  folder.put("train2014/7.jpg", picture(1));
  const std::string deep(1'000'000, '[');
  for (const char* json :
       {"{\"images\": [", "{\"images\": []}", "[1]", deep.c_str(), R"({"images": [1], "annotations": []})",
        R"({"images": [{"id": 1e300, "file_name": "7.jpg"}], "annotations": []})",
        R"({"images": [{"id": 1, "file_name": 7}], "annotations": []})",
        R"({"images": [], "annotations": [{"id": 1, "image_id": 1, "caption": null}]})"}) {
    folder.put("annotations/captions_train2014.json", json);
    const std::string message = error_of([&] { open(folder.path()); });
    expect_mentions(message, {"captions_train2014.json", "not a COCO captions file"});
    EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
  }
  folder.put("annotations/captions_train2014.json", "{\"images\": [], \"annotations\": []}");
  expect_mentions(error_of([&] { open(folder.path()); }), {"lists no captions"});
}

}  // namespace
}  // namespace uvic::coco_captions_test
