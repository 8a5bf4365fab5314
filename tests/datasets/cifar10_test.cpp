#include "datasets/cifar10.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>

#include "core/error.h"
#include "core/image/image.h"
#include "core/random.h"
#include "datasets/cifar10_batch.h"
#include "tests/temporary.h"

namespace uvic::cifar10_test {
namespace {

constexpr int kImages = 4;  // of each small batch file

// Image i of batch k (6: the test batch): label and noise that depend on both.
int64_t label_of(int k, int i) {
  return (3 * k + i) % 10;
}
std::string pixels_of(int k, int i) {
  std::string pixels;
  for (int j = 0; j < 3072; ++j) pixels += static_cast<char>(hash_mix({uint64_t(k), uint64_t(i), uint64_t(j)}));
  return pixels;
}
Tensor image_of(int k, int i) {
  std::string pixels = pixels_of(k, i);
  return at::from_blob(pixels.data(), {3, 32, 32}, at::kByte).clone();
}

std::string binary_batch(int k) {
  std::string bytes;
  for (int i = 0; i < kImages; ++i) bytes += static_cast<char>(label_of(k, i)) + pixels_of(k, i);
  return bytes;
}

// What Python 2's cPickle wrote at protocol 2 for {'data': uint8 array, 'labels': list, 'batch_label': str}.
std::string python_batch(int k) {
  const auto word = [](int value) {
    std::string bytes;
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(value >> shift);
    return bytes;
  };
  const auto text = [](const std::string& value) {
    return "U" + std::string(1, static_cast<char>(value.size())) + value;
  };
  const auto small = [](int value) { return "K" + std::string(1, static_cast<char>(value)); };
  std::string pixels, labels;
  for (int i = 0; i < kImages; ++i) {
    pixels += pixels_of(k, i);
    labels += small(static_cast<int>(label_of(k, i)));
  }
  std::string dtype = "cnumpy\ndtype\n" + text("u1") + small(0) + small(1) + "\x87R";
  dtype += "(" + small(3) + text("|") + "NNNJ" + word(-1) + "J" + word(-1) + small(0) + "tb";
  std::string array =
      "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + small(0) + "\x85" + text("b") + "\x87R";
  array += "(" + small(1) + small(kImages) + "M" + std::string("\x00\x0c", 2) + "\x86" + dtype + "\x89";
  array += "T" + word(static_cast<int>(pixels.size())) + pixels + "tb";
  return "\x80\x02}(" + text("batch_label") + text("a test") + text("labels") + "](" + labels + "e" + text("data") +
         array + "u.";
}

constexpr const char* kNames[] = {"data_batch_1", "data_batch_2", "data_batch_3",
                                  "data_batch_4", "data_batch_5", "test_batch"};

void write_binary(const TemporaryFolder& folder) {
  for (int k = 1; k <= 6; ++k) folder.put(fmt::format("cifar-10-batches-bin/{}.bin", kNames[k - 1]), binary_batch(k));
  folder.put("cifar-10-batches-bin/batches.meta.txt",
             "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
}

void write_python(const TemporaryFolder& folder) {
  for (int k = 1; k <= 6; ++k) folder.put(fmt::format("cifar-10-batches-py/{}", kNames[k - 1]), python_batch(k));
}

// Opens the data with its warnings, of which small batches give one, kept from the screen.
std::shared_ptr<const Dataset> open(const fs::path& path, const std::string& options = "", std::string* log = nullptr) {
  struct Capture {
    std::string* log;
    ~Capture() {
      const std::string text = ::testing::internal::GetCapturedStderr();
      if (log) *log = text;
    }
  } capture{log};
  ::testing::internal::CaptureStderr();
  return open_dataset("cifar10:" + path.string() + options);
}

void expect_all(const Dataset& data, bool test) {
  ASSERT_EQ(data.size(), test ? kImages : 5 * kImages);
  for (int64_t i = 0; i < data.size(); ++i) {
    const int k = test ? 6 : static_cast<int>(1 + i / kImages), place = static_cast<int>(i % kImages);
    EXPECT_EQ(data.label(i), label_of(k, place)) << i;
    EXPECT_TRUE(at::equal(data.images(std::vector<int64_t>{i})[0], image_of(k, place))) << i;
  }
  EXPECT_EQ(data.classes().size(), 10u);
  EXPECT_EQ(data.image_size(), 32);
}

void archive(const TemporaryFolder& folder, const std::string& file, const std::string& what) {
  const std::string command =
      fmt::format("tar -C '{}' -caf '{}' {}", folder.path().string(), (folder / file).string(), what);
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
}

TEST(Cifar10, ReadsTheBinaryVersion) {
  TemporaryFolder folder;
  write_binary(folder);
  for (const auto& path : {folder.path(), folder / "cifar-10-batches-bin"}) {
    expect_all(*open(path), false);
    expect_all(*open(path, "?split=test"), true);
  }
  archive(folder, "any.tar.gz", "cifar-10-batches-bin");
  expect_all(*open(folder / "any.tar.gz"), false);
  expect_all(*open(folder / "any.tar.gz", "?split=test"), true);
}

TEST(Cifar10, ReadsThePythonVersion) {
  TemporaryFolder folder;
  write_python(folder);
  for (const auto& path : {folder.path(), folder / "cifar-10-batches-py"}) {
    expect_all(*open(path), false);
    expect_all(*open(path, "?split=test"), true);
  }
  archive(folder, "any.tar.gz", "cifar-10-batches-py");
  expect_all(*open(folder / "any.tar.gz"), false);
}

TEST(Cifar10, FindsTheDownloadedArchiveInItsFolder) {
  TemporaryFolder folder;
  write_binary(folder);
  archive(folder, "cifar-10-binary.tar.gz", "cifar-10-batches-bin");
  fs::remove_all(folder / "cifar-10-batches-bin");
  expect_all(*open(folder.path()), false);
}

TEST(Cifar10, ReadsClassFolders) {
  TemporaryFolder folder;
  for (const auto& [name, k] : {std::pair("horse/a.png", 1), {"horse/b.png", 2}, {"cat/x.png", 3}})
    write_png(folder / "train" / name, image_of(k, 0).permute({1, 2, 0}).contiguous());
  write_png(folder / "test" / "frog" / "z.png", image_of(4, 0).permute({1, 2, 0}).contiguous());
  archive(folder, "pictures.tar", "train test");
  for (const auto& path : {folder.path(), folder / "pictures.tar"}) {
    const auto train = open(path), test = open(path, "?split=test");
    ASSERT_EQ(train->size(), 3);
    ASSERT_EQ(test->size(), 1);
    // The first of each class, then the second.
    const std::pair<int64_t, int> expected[] = {{3, 3}, {7, 1}, {7, 2}};
    for (int64_t i = 0; i < 3; ++i) {
      EXPECT_EQ(train->label(i), expected[i].first);
      EXPECT_TRUE(at::equal(train->images(std::vector<int64_t>{i})[0], image_of(expected[i].second, 0)));
    }
    EXPECT_EQ(test->label(0), 6);
    EXPECT_EQ(open(path, "?limit=2")->size(), 2);
  }
}

TEST(Cifar10, LeavesOutCorruptPicturesUnlessStrict) {
  TemporaryFolder folder;
  write_png(folder / "train/horse/a.png", image_of(1, 0).permute({1, 2, 0}).contiguous());
  folder.put("train/horse/b.png", "no picture");
  write_png(folder / "train/ship/c.png", at::zeros({16, 16, 3}, at::kByte));
  std::string log;
  const auto data = open(folder.path(), "", &log);
  EXPECT_EQ(data->size(), 1);
  EXPECT_EQ(data->skipped(), 2);
  expect_mentions(log, {"horse/b.png"});
  expect_mentions(log, {"16 x 16"});
  expect_mentions(error_of([&] { open(folder.path(), "?strict=true"); }), {"ship/c.png is 16 x 16"});
  fs::remove(folder / "train/ship/c.png");
  expect_mentions(error_of([&] { open(folder.path(), "?strict=true"); }), {"horse/b.png"});
  fs::remove(folder / "train/horse/a.png");
  expect_mentions(error_of([&] { open(folder.path()); }), {"none of its 1 train pictures", "horse/b.png"});
  folder.put("train/unicorn/a.png", "x");
  expect_mentions(error_of([&] { open(folder.path()); }), {"'unicorn'"});
}

TEST(Cifar10, NamesTheFirstCorruptPicturesAndCountsTheRest) {
  TemporaryFolder folder;
  write_png(folder / "train/horse/good.png", image_of(1, 0).permute({1, 2, 0}).contiguous());
  for (int i = 0; i < 20; ++i) folder.put(fmt::format("train/cat/{:02}.png", i), "no picture");
  std::string log;
  EXPECT_EQ(open(folder.path(), "", &log)->skipped(), 20);
  EXPECT_EQ(std::ranges::count(log, '\n'), 6) << log;
  expect_mentions(log, {"train/cat/00.png", "train/cat/04.png", "15 more like these"});
}

TEST(Cifar10, CaptionsNameTheClass) {
  TemporaryFolder folder;
  write_binary(folder);
  const auto data = open(folder.path(), "?split=test");
  std::vector<std::string> captions;
  for (int64_t i = 0; i < data->size(); ++i) captions.push_back(data->captions(i).at(0));
  EXPECT_EQ(captions, (std::vector<std::string>{"a photo of a ship", "a photo of a truck", "a photo of an airplane",
                                                "a photo of an automobile"}));
}

TEST(Cifar10, LimitAndSize) {
  TemporaryFolder folder;
  write_binary(folder);
  const auto data = open(folder.path(), "?limit=6&size=48");
  EXPECT_EQ(data->size(), 6);
  EXPECT_EQ(data->image_size(), 48);
  const Tensor original = image_of(2, 1).permute({1, 2, 0}).contiguous();
  const Tensor images = data->images(std::vector<int64_t>{0, 5});
  EXPECT_EQ(images.sizes(), (at::IntArrayRef{2, 3, 48, 48}));
  EXPECT_TRUE(at::equal(images[1].permute({1, 2, 0}), resize_like_pillow(original, 48, 48, Filter::kLanczos)));
}

TEST(Cifar10, WarnsOfBatchesThatAreSmallerThanTheOfficialOnes) {
  TemporaryFolder folder;
  write_binary(folder);
  std::string log;
  open(folder.path(), "", &log);
  expect_mentions(log, {"4 images per batch file, where CIFAR-10 has 10000"});
}

TEST(Cifar10, DamageIsNamed) {
  const std::pair<std::string, std::function<void(const TemporaryFolder&)>> cases[] = {
      {"data_batch_3.bin is missing",
       [](const TemporaryFolder& f) { fs::remove(f / "cifar-10-batches-bin/data_batch_3.bin"); }},
      {"truncated",
       [](const TemporaryFolder& f) { fs::resize_file(f / "cifar-10-batches-bin/data_batch_2.bin", 5000); }},
      {"data_batch_5.bin",
       [](const TemporaryFolder& f) { fs::resize_file(f / "cifar-10-batches-bin/data_batch_5.bin", 2 * 3073); }},
      {"0 bytes", [](const TemporaryFolder& f) { fs::resize_file(f / "cifar-10-batches-bin/data_batch_1.bin", 0); }},
      {"image 2 has label 10",
       [](const TemporaryFolder& f) {
         std::string bytes = binary_batch(4);
         bytes[2 * 3073] = 10;
         f.put("cifar-10-batches-bin/data_batch_4.bin", bytes);
       }},
      {"expected 10 class names, found 2",
       [](const TemporaryFolder& f) { f.put("cifar-10-batches-bin/batches.meta.txt", "cat\ndog\n"); }},
  };
  for (const auto& [part, damage] : cases) {
    TemporaryFolder folder;
    write_binary(folder);
    damage(folder);
    expect_mentions(error_of([&] { open(folder.path()); }), {part});
  }
}

TEST(Cifar10, DamagedPythonBatchesAreNamed) {
  const auto replaced = [](std::string bytes, const std::string& from, const std::string& to) {
    return bytes.replace(bytes.find(from), from.size(), to);
  };
  const std::string good = python_batch(6);
  const std::pair<std::string, std::string> cases[] = {
      {"no 'labels'", replaced(good, "labels", "labelz")},
      {"no 'data'", replaced(good, "\004data", "\004date")},
      {"expected uint8 of [5, 3072]", replaced(good, "](", "](K\x01")},
      {"has label 77", replaced(good, "](K\x08", "](K\x4d")},
      {"test_batch", good.substr(0, good.size() / 2)},
  };
  for (const auto& [part, bytes] : cases)
    expect_mentions(error_of([&] { read_cifar10_python(bytes, "test_batch"); }), {part});
}

TEST(Cifar10, WrongPathsSayWhatIsExpected) {
  TemporaryFolder folder;
  const auto file = folder.put("notes.md", "x");
  for (const auto& [spec, part] : {std::pair<std::string, std::string>("cifar10", "names no path"),
                                   {"cifar10:/nowhere", "there is no '/nowhere'"},
                                   {"cifar10:" + folder.path().string(), "no train images"},
                                   {"cifar10:" + file.string(), "no train images"}}) {
    const std::string message = error_of([&] { open_dataset(spec); });
    expect_mentions(message, {part});
    expect_mentions(message, {"cifar-10-batches-bin"});
  }
}

TEST(Cifar10, TruncatedArchiveIsAnError) {
  TemporaryFolder folder;
  write_binary(folder);
  archive(folder, "a.tar.gz", "cifar-10-batches-bin");
  fs::resize_file(folder / "a.tar.gz", fs::file_size(folder / "a.tar.gz") / 2);
  expect_mentions(error_of([&] { open(folder / "a.tar.gz"); }), {"a.tar.gz"});
}

}  // namespace
}  // namespace uvic::cifar10_test
