// Where pictures go: one FILE.png, or a folder of numbered files that never overwrites what is there.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/image.h"

namespace uvic {

class PictureFiles {
 public:
  // `out` ends in .png: that file alone (Error if it exists, unless `force`). Else a folder, in which numbering goes on
  // behind the files that are there (with `force` it starts at 0 and overwrites). Error if nothing can be written
  // there.
  PictureFiles(const std::filesystem::path& out, bool force);

  bool single_file() const { return single_file_; }
  std::filesystem::path write(const Tensor& image, const PngText& text);  // 000000.png, ...
  std::filesystem::path write_named(const std::string& kind, const Tensor& image, const PngText& text);  // grid-000.png

 private:
  std::filesystem::path out_;
  bool single_file_, force_;
  int64_t next_ = 0;
  std::map<std::string, int64_t> next_named_;
};

}  // namespace uvic
