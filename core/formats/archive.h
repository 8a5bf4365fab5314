// The files inside a folder, .tar, .tar.gz or .zip, read one after the other.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace uvic {

bool is_archive(const std::filesystem::path& path);  // by name: .tar, .tar.gz, .tgz, .zip

// Calls `visit(name, bytes)` for every regular file whose name (relative, "a/b.png") `wanted` accepts: in the order of
// an archive, sorted in a folder. Nothing is extracted to disk. Error if the source is missing, truncated or damaged,
// naming the file inside where it broke, or if those files unpack to more than core/formats/unpacking.h allows.
// Interrupted after Ctrl-C.
void for_each_in_archive(const std::filesystem::path& path, const std::function<bool(std::string_view name)>& wanted,
                         const std::function<void(std::string_view name, std::string_view bytes)>& visit);

}  // namespace uvic
