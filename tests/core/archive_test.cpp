#include "core/formats/archive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/core/pack.h"
#include "tests/temporary.h"

namespace uvic::archive_test {
namespace {

const PackedFiles kFiles = {{"b/2.txt", "two"},
                            {"a.bin", std::string("\0\1\2", 3)},
                            {"b/d\u00e9j\u00e0.txt", ""},
                            {"large", std::string(300'000, 'x')}};

fs::path packed(const TemporaryFolder& folder, const std::string& name, const PackedFiles& files) {
  pack(folder / name, files);
  return folder / name;
}

PackedFiles read_all(
    const fs::path& path, const std::function<bool(std::string_view)>& wanted = [](auto) { return true; }) {
  PackedFiles files;
  for_each_in_archive(path, wanted,
                      [&](std::string_view name, std::string_view bytes) { files.emplace_back(name, bytes); });
  return files;
}

TEST(Archive, IsKnownByName) {
  for (const char* name : {"a.tar", "b/a.tar.gz", "a.tgz", "a.zip", "A.TAR", "a.Tar.GZ", "a.TGZ", "a.ZIP"})
    EXPECT_TRUE(is_archive(name)) << name;
  for (const char* name : {"a.png", "tar", "a.gz", "a.tar/b"}) EXPECT_FALSE(is_archive(name)) << name;
}

class ArchiveKind : public testing::TestWithParam<const char*> {};

TEST_P(ArchiveKind, GivesFilesInOrder) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_all(packed(folder, GetParam(), kFiles)), kFiles);
}

TEST_P(ArchiveKind, SkipsFoldersAndTheUnwanted) {
  const TemporaryFolder folder;
  const PackedFiles files = {{"b/", ""}, {"./b/1.txt", "one"}, {"b/2.png", "two"}};
  const fs::path path = packed(folder, GetParam(), files);
  EXPECT_EQ(read_all(path), (PackedFiles{{"b/1.txt", "one"}, {"b/2.png", "two"}}));
  EXPECT_EQ(read_all(path, [](std::string_view name) { return name.ends_with(".png"); }),
            (PackedFiles{{"b/2.png", "two"}}));
}

TEST_P(ArchiveKind, NamesTruncation) {
  const TemporaryFolder folder;
  std::string noise;  // which no compressor shrinks
  for (uint32_t i = 0, x = 1; i < 100'000; ++i) noise += static_cast<char>((x = x * 1664525 + 1013904223) >> 24);
  const std::string whole = read_file(packed(folder, GetParam(), {{"one", noise}, {"two", noise}}), "archive");
  const fs::path cut = folder.put("cut-" + std::string(GetParam()), whole.substr(0, whole.size() * 3 / 4));
  expect_mentions(error_of([&] { read_all(cut); }), {"cut-", "truncated", "two"});
}

INSTANTIATE_TEST_SUITE_P(Kinds, ArchiveKind, testing::Values("x.tar", "x.tar.gz", "x.tgz", "x.zip"));

TEST(Archive, NamesADamagedChecksum) {
  const TemporaryFolder folder;
  std::string zip = read_file(packed(folder, "x.zip", kFiles), "archive");
  zip[zip.find("two")] ^= 1;
  expect_mentions(error_of([&, path = folder.put("bad.zip", zip)] { read_all(path); }), {"bad.zip", "b/2.txt"});
}

TEST(Archive, ReadsFoldersSorted) {
  const TemporaryFolder folder;
  PackedFiles sorted = kFiles;
  for (const auto& [name, bytes] : kFiles) folder.put(name, bytes);
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(read_all(folder.path()), sorted);
}

TEST(Archive, NamesWhatIsWrong) {
  const TemporaryFolder folder;
  expect_mentions(error_of([&] { read_all(folder / "gone.tar"); }), {"gone.tar"});
  expect_mentions(error_of([&, path = folder.put("text.tar", std::string(2000, 'x'))] { read_all(path); }),
                  {"text.tar", "not an archive"});
  const auto visitor = [](auto, auto) { fail("the visitor's own error"); };
  const fs::path path = packed(folder, "x.tar", kFiles);
  EXPECT_EQ(error_of([&] {
              for_each_in_archive(
                  path, [](auto) { return true; }, visitor);
            }),
            "the visitor's own error");
}

TEST(Archive, RefusesToUnpackBeyondAllProportion) {
  constexpr int kMegabytes = 300;
  TemporaryFolder folder;
  const fs::path path = folder / "bomb.tar.gz";
  const std::unique_ptr<archive, int (*)(archive*)> out(archive_write_new(), archive_write_free);
  archive_write_set_format_ustar(out.get());
  archive_write_add_filter_gzip(out.get());
  ASSERT_EQ(archive_write_open_filename(out.get(), path.c_str()), ARCHIVE_OK);
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
  archive_entry_set_pathname(entry.get(), "zeros");
  archive_entry_set_size(entry.get(), kMegabytes << 20);
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  ASSERT_EQ(archive_write_header(out.get(), entry.get()), ARCHIVE_OK);
  const std::string megabyte(1 << 20, '\0');
  for (int i = 0; i < kMegabytes; ++i) archive_write_data(out.get(), megabyte.data(), megabyte.size());
  ASSERT_EQ(archive_write_close(out.get()), ARCHIVE_OK);
  expect_mentions(error_of([&] { read_all(path); }), {"bomb.tar.gz", "up to zeros", "beyond all proportion"});
  EXPECT_TRUE(read_all(path, [](auto) { return false; }).empty());
}

TEST(Archive, RefusesHardLinksInside) {
  const TemporaryFolder folder;
  folder.put("a", "content");
  fs::create_hard_link(folder / "a", folder / "b");
  ASSERT_EQ(std::system(("tar -cf " + (folder / "x.tar").string() + " -C " + folder.path().string() + " a b").c_str()),
            0);
  expect_mentions(error_of([&] { read_all(folder / "x.tar"); }), {"x.tar", "b", "hard link"});
}

}  // namespace
}  // namespace uvic::archive_test
