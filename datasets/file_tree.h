// A folder and an archive seen as the same thing: names of files, and their bytes.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/formats/archive.h"

namespace uvic {

class FileTree {
 public:
  // A folder, .tar, .tar.gz or .zip. Error if there is no such thing, or if it is a file of another kind.
  explicit FileTree(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  bool is_archive() const { return is_archive_; }

  // Relative names with '/', sorted. Hidden files (and macOS's __MACOSX) are left out.
  const std::vector<std::string>& names() const { return names_; }
  bool has(const std::string& name) const;
  // How many files of an archive a later one of the same name replaces, as unpacking it would; by name.
  const std::map<std::string, int64_t>& replaced() const { return replaced_; }

  // The files of some names, one after the other: an archive is read once, in its own order, and not at all if nothing
  // is wanted. Names that do not exist are left out. The tree must outlive it.
  class Reader {
   public:
    Reader(const FileTree& tree, std::vector<std::string> wanted);

    struct File {
      size_t i;  // it is wanted[i]
      std::string bytes;
    };
    std::optional<File> next();  // nothing at the end

   private:
    const FileTree& tree_;
    std::vector<std::string> wanted_;
    size_t next_ = 0;                                // in a folder
    std::unique_ptr<ArchiveReader> archive_;         // null: a folder
    std::unordered_map<std::string, size_t> index_;  // in `wanted_`
    std::map<std::string, int64_t> to_replace_;
  };

  // Calls `visit(i, bytes)` for each file that a Reader gives.
  void read(std::span<const std::string> wanted,
            const std::function<void(size_t i, std::string_view bytes)>& visit) const;
  std::string read(const std::string& name) const;  // Error if it does not exist

 private:
  std::filesystem::path path_;
  bool is_archive_;
  std::vector<std::string> names_;
  std::map<std::string, int64_t> replaced_;
};

// "a/b/c.png" -> "a/b/", "c.png" -> ""
std::string_view folder_part(std::string_view name);

}  // namespace uvic
