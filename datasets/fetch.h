// Downloads of the official archives, resumable and checked.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/registry.h"

namespace uvic {

struct RemoteFile {
  std::string_view url, file_name, sha256;  // sha256 "" when the source publishes none (then md5 or size is checked)
  std::string_view md5;
};
using RemoteFiles = std::span<const RemoteFile>;
std::span<const Entry<RemoteFiles>> fetchable();  // cifar10, mscoco

// Downloads into `folder` as FILE.part, continuing a part left by an interrupted call (HTTP range), verifies the checksum
// and renames. A file already there and correct is kept. A wrong checksum removes the part and is an Error with both sums.
// `base_url`, when not empty, replaces everything before the last '/' of each address (mirrors, tests).
std::vector<std::filesystem::path> fetch(const std::string& name, const std::filesystem::path& folder,
                                         const std::string& base_url = "");

}  // namespace uvic
