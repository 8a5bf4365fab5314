#include "app/data/data_export.h"

#include <gtest/gtest.h>

#include "core/interrupt.h"
#include "tests/temporary.h"

namespace uvic::data_export_test {
namespace {

// Images whose first pixel is their index.
class Numbered : public Dataset {
 public:
  Numbered(int64_t count, std::vector<std::string> classes, bool captions)
      : count_(count), classes_(std::move(classes)), captions_(captions) {}
  int64_t size() const override { return count_; }
  int64_t image_size() const override { return 4; }
  Tensor images(std::span<const int64_t> indices) const override {
    const Tensor images = at::arange(static_cast<int64_t>(indices.size()) * 48, at::kLong).remainder(251).to(at::kByte);
    const Tensor shaped = images.view({-1, 3, 4, 4});
    for (size_t i = 0; i < indices.size(); ++i) shaped[static_cast<int64_t>(i)].fill_(indices[i] % 256);
    shaped.select(1, 1).fill_(9);
    return shaped;
  }
  int64_t label(int64_t i) const override { return classes_.empty() ? -1 : i % static_cast<int64_t>(classes_.size()); }
  std::vector<std::string> captions(int64_t i) const override {
    if (!captions_) return {};
    if (i % 2 == 0) return {fmt::format("number {}, \"quoted\" ü", i)};
    return {fmt::format("number {}", i), "odd"};
  }
  std::vector<std::string> classes() const override { return classes_; }
  std::string description() const override { return "numbers"; }

 private:
  int64_t count_;
  std::vector<std::string> classes_;
  bool captions_;
};

void export_all(const Dataset& data, const fs::path& folder, bool force = false) {
  export_dataset(data, folder, force, [](int64_t) {});
}

TEST(DataExport, FolderReadsItBackInOrder) {
  const TemporaryFolder folder;
  const Numbered data(300, {}, true);
  export_all(data, folder / "out");
  const auto back = open_dataset("folder:" + (folder / "out").string());
  ASSERT_EQ(back->size(), data.size());
  EXPECT_EQ(back->skipped(), 0);
  export_all(Numbered(2, {}, false), folder / "bare");
  EXPECT_EQ(open_dataset("folder:" + (folder / "bare").string())->skipped(), 0);
  for (const int64_t i : {0, 1, 255, 256, 299}) {
    EXPECT_TRUE(at::equal(back->images({&i, 1}), data.images({&i, 1}))) << i;
    EXPECT_EQ(back->captions(i), data.captions(i));
    EXPECT_EQ(back->label(i), -1);
  }
}

TEST(DataExport, ClassesBecomeFolders) {
  const TemporaryFolder folder;
  const Numbered data(12, {"air plane", "cat/dog", "train"}, true);
  export_all(data, folder / "out");
  const auto back = open_dataset("folder:" + (folder / "out").string());
  EXPECT_EQ(back->classes(), (std::vector<std::string>{"air plane", "cat-dog", "train-2"}));
  for (int64_t at = 0; at < back->size(); ++at) {
    const int64_t original = at % 4 * 3 + at / 4;  // sorted by class
    EXPECT_TRUE(at::equal(back->images({&at, 1}), data.images({&original, 1})));
    EXPECT_EQ(back->captions(at), data.captions(original));
    EXPECT_EQ(back->label(at), data.label(original));
  }
  const std::string lines = read_file(folder / "out" / "metadata.jsonl", "metadata");
  expect_mentions(lines,
                  {R"({"file_name":"cat-dog/000001.png","text":["number 1","odd"],"label":1,"class":"cat/dog"})"});
}

TEST(DataExport, LeavesForeignFilesAlone) {
  const TemporaryFolder folder;
  folder.put("out/mine.txt", "x");
  const Numbered data(3, {}, false);
  expect_mentions(error_of([&] { export_all(data, folder / "out"); }), {"out", "not empty", "--force"});
  EXPECT_FALSE(fs::exists(folder / "out" / "000000.png"));
  export_all(data, folder / "out", true);
  EXPECT_TRUE(fs::exists(folder / "out" / "mine.txt"));
  EXPECT_TRUE(fs::exists(folder / "out" / "000002.png"));
  folder.put("file", "x");
  expect_mentions(error_of([&] { export_all(data, folder / "file"); }), {"file"});
}

TEST(DataExport, CanBeStopped) {
  const TemporaryFolder folder;
  EXPECT_THROW(export_dataset(Numbered(600, {}, false), folder / "out", false, [](int64_t) { throw Interrupted(); }),
               Interrupted);
  EXPECT_FALSE(fs::exists(folder / "out" / "metadata.jsonl"));
  EXPECT_FALSE(fs::exists(folder / "out" / "000599.png"));
}

}  // namespace
}  // namespace uvic::data_export_test
