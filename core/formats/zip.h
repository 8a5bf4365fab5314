// Zip archives as .pth and .npz files use them: read in place from a mapped file, written to a stream.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"

namespace uvic {

struct ZipEntry {
  std::string name;
  uint16_t flags, method;
  uint32_t crc;
  uint64_t packed_size, size;
  uint64_t header_at;  // of its local header in the file
};

// The bytes of an entry and what keeps them alive: the mapped file (STORED) or a buffer (DEFLATE).
struct ZipBytes {
  char* data;
  size_t size;
  std::shared_ptr<void> owner;

  std::string_view view() const { return {data, size}; }
};

class ZipReader {
 public:
  // Error if it is not a zip archive or its list of contents is damaged; `what` names its role.
  ZipReader(const std::filesystem::path& path, std::string_view what);

  const std::vector<ZipEntry>& entries() const { return entries_; }
  const ZipEntry* find(std::string_view name) const;  // or null
  // Error if the entry is encrypted, damaged (CRC-32), packed with another method than STORED or DEFLATE, or if more
  // was unpacked by now than core/formats/unpacking.h allows for the file.
  ZipBytes read(const ZipEntry& entry) const;

 private:
  std::string name_;
  MappedFile file_;
  std::vector<ZipEntry> entries_;
  mutable uint64_t unpacked_ = 0;                     // bytes, so far
  std::map<std::string, size_t, std::less<>> index_;  // of the last entry of each name
};

// Entries in the order they are added, all dated 1980-01-01 so that equal contents give equal files. Zip64 where
// needed.
class ZipWriter {
 public:
  explicit ZipWriter(std::ostream& out) : out_(out) {}

  // The concatenation of `parts`. The data of a STORED entry starts at a multiple of `alignment`.
  void add(const std::string& name, std::initializer_list<std::string_view> parts, bool compressed = false,
           size_t alignment = 1);
  void finish();

 private:
  std::ostream& out_;
  uint64_t at_ = 0, count_ = 0;
  std::string directory_;
};

}  // namespace uvic
