// Where pictures go: one FILE.png, or a folder of numbered files that never overwrites what is there.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/image/image.h"

namespace uvic {

class PictureFiles {
 public:
  // `out` ends in .png: that file alone (Error if it exists, unless `force`). Else a folder, in which numbering goes on
  // behind the files that are there, also those that others write at the same time (with `force` it starts at 0 and
  // overwrites). Error if nothing can be written there, and for names of other kinds of pictures.
  PictureFiles(const std::filesystem::path& out, bool force);

  bool single_file() const { return single_file_; }
  const std::filesystem::path& out() const { return out_; }

  // 000000.png, ...; of that number if it is given and nobody has it.
  std::filesystem::path write(const Tensor& image, const PngText& text, std::optional<int64_t> number = {});
  std::filesystem::path write_named(const std::string& kind, const Tensor& image, const PngText& text);  // grid-000.png

  // Under a name that is fixed: 000012.png; strip-012.png. Error if there is such a file, unless `force`.
  std::filesystem::path write_as(const std::filesystem::path& file, const Tensor& image, const PngText& text) const;
  void expect_free(const std::filesystem::path& file) const;
  std::filesystem::path numbered(int64_t number) const;
  std::filesystem::path named(const std::string& kind, int64_t number) const;

  // Of a file of ours, such as 12 of 000012.png; nothing for other names.
  static std::optional<int64_t> number_of(const std::filesystem::path& file, const std::string& prefix = "");

 private:
  std::filesystem::path put(std::string_view bytes, const std::function<std::filesystem::path()>& next_name) const;

  std::filesystem::path out_;
  bool single_file_, force_, is_tried_ = false;
  int64_t next_ = 0;
  std::map<std::string, int64_t> next_named_;
};

}  // namespace uvic
