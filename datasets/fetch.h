// Downloads of the official archives, resumable and checked.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/registry.h"

namespace uvic {

struct RemoteFile {
  std::string_view url;     // the last part of the path is the file's name
  int64_t size;             // bytes
  std::string_view sha256;  // lower-case hex
};
using RemoteFiles = std::span<const RemoteFile>;
std::span<const Entry<RemoteFiles>> fetchable();

// Downloads every file of the row `name` into `folder`, which is made if needed, and returns their paths. Error if the
// name is unknown or a file cannot be had.
// `base_url`, when not empty, replaces everything before the last '/' of each address (mirrors, tests).
std::vector<std::filesystem::path> fetch(const std::string& name, const std::filesystem::path& folder,
                                         const std::string& base_url = "");

// Downloads one file as FILE.part, going on from a part that an interrupted call left (HTTP range; from the start if
// the server knows no ranges), compares size and SHA-256, and renames it. A file already there and correct is kept, a
// wrong one replaced. A dropped connection is taken up again as long as bytes keep coming. Redirects are followed to
// http and https alone, from https to https alone, and no more bytes are written than the file has. Error for an
// unreachable server (the part stays), a full disk, another process at the same download, an address of another scheme,
// or a wrong size or checksum (naming both; the part goes).
std::filesystem::path fetch_file(const RemoteFile& file, const std::filesystem::path& folder,
                                 const std::string& base_url = "");

}  // namespace uvic
