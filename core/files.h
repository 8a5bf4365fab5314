// Whole files, written so that a crash leaves either the old one or the new one, and their hashes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

namespace uvic {

namespace fs = std::filesystem;

// The bytes of a file. Error if it is missing, a folder, or unreadable; `what` names its role ("checkpoint", "preset").
std::string read_file(const fs::path& path, std::string_view what);

// A file seen as memory: private and copy-on-write, so writing to it never reaches the disk. It stays mapped while any
// copy of `data` lives. Errors as read_file.
struct MappedFile {
  std::shared_ptr<char> data;  // page-aligned; null for an empty file
  size_t size = 0;

  std::string_view bytes() const { return {data.get(), size}; }
};
MappedFile map_file(const fs::path& path, std::string_view what);

// Writes `path`.tmp<pid>-<n>, syncs it to disk and renames it over `path`; creates parent folders. On any failure until
// then (disk full, no permission, an exception from `write`) the old file stays, the temporary one goes, and Error
// names the cause. `write` need not check the stream: a failed write throws out of it.
void write_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write);
void write_atomically(const fs::path& path, std::string_view bytes);

// The same under the first name that nobody has of those that `next_name` gives, one a call and all of one folder.
// Returns it. What is there is never replaced, nor what another process puts there meanwhile.
fs::path write_new(const std::function<fs::path()>& next_name, std::string_view bytes);

// What people call a folder, however its path is written: "00007-shapes" of ".", or of "runs/00007-shapes/".
std::string folder_name(const fs::path& folder);

// Of "X.PNG" it is ".png".
std::string lower_extension(const fs::path& path);

// Makes the names in a folder survive a power cut. Error if that fails, but not where it cannot be done: some file
// systems do not sync folders (EINVAL), and a folder that may be written need not be readable (EACCES).
void sync_folder(const fs::path& folder);

// Lower-case hex SHA-256.
std::string sha256_of_file(const fs::path& path);
std::string sha256_of_bytes(std::string_view bytes);

// $UVIC_CACHE, else $XDG_CACHE_HOME/uvic, else ~/.cache/uvic: where scripts/setup puts LibTorch and weights.
fs::path cache_folder();

}  // namespace uvic
