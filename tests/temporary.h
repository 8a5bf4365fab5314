// What tests of files share: a folder that goes with the test, damaged copies, and the text of an error.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"

namespace uvic {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "uvic-test-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) fail("cannot make the folder {}", pattern);
    path_ = pattern;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

  fs::path put(const std::string& name, std::string_view bytes) const {
    fs::create_directories((path_ / name).parent_path());
    fs::remove(path_ / name);  // some file systems sync a file that is truncated and written again: slow in loops
    std::ofstream(path_ / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_ / name;
  }

 private:
  fs::path path_;
};

// The message of the Error that `action` throws; any other outcome fails the test.
template <class F>
std::string error_of(F&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not an uvic::Error: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

// EXPECT that `text` contains every one of `parts`.
inline void expect_mentions(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << '"' << part << "\" is not in: " << text;
}

}  // namespace uvic
