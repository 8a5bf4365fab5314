#include "core/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <set>
#include <thread>
#include <vector>

#include "tests/temporary.h"

// In place of the C library's: a file system may lack it.
static std::atomic<bool> lacks_renameat2 = false;
extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (!lacks_renameat2) return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
  errno = EINVAL;
  return -1;
}

namespace uvic::files_test {
namespace {

size_t count_files(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(FolderName, HoweverThePathIsWritten) {
  for (const char* path : {"runs/00007-a", "runs/00007-a/", "runs/00007-a/.", "/x/../runs/00007-a//"})
    EXPECT_EQ(folder_name(path), "00007-a") << path;
  EXPECT_EQ(folder_name("."), fs::current_path().filename().string());
}

TEST(ReadFile, GivesAllBytes) {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\r\n\xff", 6);
  EXPECT_EQ(read_file(folder.put("x", bytes), "thing"), bytes);
  EXPECT_EQ(read_file(folder.put("empty", ""), "thing"), "");
  const std::string large(300'000, 'z');
  EXPECT_EQ(read_file(folder.put("large", large), "thing"), large);
}

TEST(ReadFile, ReadsFilesThatStateNoSize) {
  EXPECT_FALSE(read_file("/proc/self/status", "status").empty());
}

TEST(ReadFile, NamesWhatIsWrong) {
  const TemporaryFolder folder;
  expect_mentions(error_of([&] { read_file(folder / "gone", "preset"); }), {"preset", "gone", "No such file"});
  expect_mentions(error_of([&] { read_file(folder.path(), "preset"); }), {"preset", folder.path().string(), "folder"});
  expect_mentions(error_of([&] { map_file(folder / "gone", "preset"); }), {"preset", "gone", "No such file"});
}

TEST(MapFile, WritesDoNotReachTheDisk) {
  const TemporaryFolder folder;
  const fs::path path = folder.put("x", "abc");
  const MappedFile mapped = map_file(path, "thing");
  mapped.data.get()[0] = 'X';
  EXPECT_EQ(mapped.bytes(), "Xbc");
  EXPECT_EQ(read_file(path, "thing"), "abc");
  EXPECT_EQ(map_file(folder.put("empty", ""), "thing").bytes(), "");
}

TEST(MapFile, OutlivesReplacementOfTheFile) {
  const TemporaryFolder folder;
  const MappedFile mapped = map_file(folder.put("x", std::string(10000, 'a')), "thing");
  write_atomically(folder / "x", "b");
  EXPECT_EQ(mapped.bytes(), std::string(10000, 'a'));
}

TEST(WriteAtomically, ReplacesAndCreatesFolders) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a/b/c.txt";
  write_atomically(path, "one");
  write_atomically(path, "two");
  EXPECT_EQ(read_file(path, "thing"), "two");
  EXPECT_EQ(count_files(path.parent_path()), 1u);
}

TEST(WriteAtomically, KeepsTheOldFileWhenTheWriterThrows) {
  const TemporaryFolder folder;
  const fs::path path = folder.put("x", "old");
  const auto writer = [](std::ostream& out) {
    out << "half";
    fail("the writer gave up");
  };
  EXPECT_EQ(error_of([&] { write_atomically(path, writer); }), "the writer gave up");
  EXPECT_EQ(read_file(path, "thing"), "old");
  EXPECT_EQ(count_files(folder.path()), 1u);
}

TEST(WriteAtomically, KeepsTheOldFileWhenTheDiskIsFull) {
  const TemporaryFolder folder;
  const fs::path path = folder.put("x", "old");
  // A limit on file sizes stands for the full disk: write(2) fails in the same way, with EFBIG.
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error_of([&] { write_atomically(path, std::string(100'000, 'n')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  expect_mentions(message, {"cannot write", path.string(), "File too large"});
  EXPECT_EQ(read_file(path, "thing"), "old");
  EXPECT_EQ(count_files(folder.path()), 1u);
}

TEST(WriteAtomically, NamesWhatIsWrong) {
  const TemporaryFolder folder;
  folder.put("file", "x");
  expect_mentions(error_of([&] { write_atomically(folder / "file/below", "x"); }), {"cannot create", "file"});
  fs::create_directories(folder / "full/inner");
  expect_mentions(error_of([&] { write_atomically(folder / "full", "x"); }), {"cannot write", "full", "directory"});
  EXPECT_EQ(count_files(folder.path()), 2u);
}

TEST(WriteNew, TakesTheFirstNameThatNobodyHas) {
  for (const bool lacking : {false, true}) {
    lacks_renameat2 = lacking;
    const TemporaryFolder folder;
    folder.put("0", "theirs");
    fs::create_directory(folder / "1");
    fs::create_symlink("nowhere", folder / "2");
    int number = 0;
    const auto next = [&] { return folder / std::to_string(number++); };
    EXPECT_EQ(write_new(next, "ours"), folder / "3");
    EXPECT_EQ(read_file(folder / "0", "thing"), "theirs");
    EXPECT_EQ(read_file(folder / "3", "thing"), "ours");
    EXPECT_FALSE(fs::exists(folder / "2"));
    EXPECT_EQ(count_files(folder.path()), 4u);
  }
  lacks_renameat2 = false;
}

TEST(WriteNew, LeavesNothingWhenNamesRunOut) {
  const TemporaryFolder folder;
  folder.put("x", "theirs");
  bool asked = false;
  const auto once = [&] {
    if (asked) fail("no more names");
    asked = true;
    return folder / "x";
  };
  EXPECT_EQ(error_of([&] { write_new(once, "ours"); }), "no more names");
  EXPECT_EQ(read_file(folder / "x", "thing"), "theirs");
  EXPECT_EQ(count_files(folder.path()), 1u);
}

TEST(WriteNew, SeveralAtOnceLoseNothing) {
  constexpr int kWriters = 4, kFiles = 20;
  for (const bool lacking : {false, true}) {
    lacks_renameat2 = lacking;
    const TemporaryFolder folder;
    std::vector<std::thread> writers;
    for (int writer = 0; writer < kWriters; ++writer)
      writers.emplace_back([&, writer] {
        int number = 0;
        for (int i = 0; i < kFiles; ++i)
          write_new([&] { return folder / std::to_string(number++); }, fmt::format("{}-{}", writer, i));
      });
    for (std::thread& writer : writers) writer.join();
    std::set<std::string> texts;
    for (int i = 0; i < kWriters * kFiles; ++i) texts.insert(read_file(folder / std::to_string(i), "file"));
    EXPECT_EQ(texts.size(), size_t{kWriters * kFiles});
    EXPECT_EQ(count_files(folder.path()), size_t{kWriters * kFiles});
  }
  lacks_renameat2 = false;
}

TEST(SyncFolder, NamesWhatIsWrong) {
  const TemporaryFolder folder;
  sync_folder(folder.path());
  expect_mentions(error_of([&] { sync_folder(folder / "gone"); }), {"cannot sync", "gone", "No such file"});
}

// Known answers: FIPS 180-2, appendix B.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha256_of_bytes(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of_bytes("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const std::string million(1'000'000, 'a'),
      digest = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  EXPECT_EQ(sha256_of_bytes(million), digest);
  const TemporaryFolder folder;
  EXPECT_EQ(sha256_of_file(folder.put("x", million)), digest);
}

TEST(CacheFolder, FollowsTheEnvironment) {
  const auto saved = [](const char* name) {
    return std::getenv(name) ? std::string(std::getenv(name)) : std::string();
  };
  const std::string own = saved("UVIC_CACHE"), xdg = saved("XDG_CACHE_HOME"), home = saved("HOME");
  setenv("HOME", "/h", 1);
  unsetenv("XDG_CACHE_HOME");
  unsetenv("UVIC_CACHE");
  EXPECT_EQ(cache_folder(), "/h/.cache/uvic");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(cache_folder(), "/x/uvic");
  setenv("UVIC_CACHE", "/c", 1);
  EXPECT_EQ(cache_folder(), "/c");
  setenv("HOME", home.c_str(), 1);
  xdg.empty() ? unsetenv("XDG_CACHE_HOME") : setenv("XDG_CACHE_HOME", xdg.c_str(), 1);
  own.empty() ? unsetenv("UVIC_CACHE") : setenv("UVIC_CACHE", own.c_str(), 1);
}

}  // namespace
}  // namespace uvic::files_test
