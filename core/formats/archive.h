// The files inside a folder, .tar, .tar.gz or .zip, read one after the other.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct archive;  // libarchive's
struct archive_entry;

namespace uvic {

bool is_archive(const std::filesystem::path& path);  // by name: .tar, .tar.gz, .tgz, .zip

struct ArchivedFile {
  std::string name;  // relative, "a/b.png"
  std::string bytes;
};

// The regular files of an archive one after the other, in its order. Nothing is extracted to disk.
class ArchiveReader {
 public:
  // Error if there is no such file, or if it is no archive.
  explicit ArchiveReader(const std::filesystem::path& path);

  // The next file whose name `wanted` accepts; nothing at the end. Error if the archive is truncated or damaged, naming
  // the file inside where it broke, or if what was read unpacks to more than core/formats/unpacking.h allows.
  // Interrupted after Ctrl-C.
  std::optional<ArchivedFile> next(const std::function<bool(std::string_view name)>& wanted);

 private:
  void check(int64_t status) const;
  std::string unpack();

  std::filesystem::path path_;
  std::unique_ptr<archive, int (*)(archive*)> reader_;
  archive_entry* entry_ = nullptr;
  std::string at_;  // the file inside, for errors
  bool at_end_ = false;
  uint64_t most_;  // bytes that may be unpacked
  uint64_t unpacked_ = 0;
};

// The same of an archive or a folder, whose files come sorted.
// Calls `visit(name, bytes)` for every file whose name `wanted` accepts. Errors as above.
void for_each_in_archive(const std::filesystem::path& path, const std::function<bool(std::string_view name)>& wanted,
                         const std::function<void(std::string_view name, std::string_view bytes)>& visit);

}  // namespace uvic
