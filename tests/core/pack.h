// Makes small archives for tests.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace uvic {

using PackedFiles = std::vector<std::pair<std::string, std::string>>;  // name and contents, in the archive's order

// Writes a .zip (stored, so that a test finds the bytes to damage), .tar or .tar.gz, by the ending of `path`. A name
// that ends with '/' is a folder.
inline void pack(const std::filesystem::path& path, const PackedFiles& files) {
  const std::unique_ptr<archive, int (*)(archive*)> out(archive_write_new(), archive_write_free);
  if (path.extension() == ".zip") {
    archive_write_set_format_zip(out.get());
    archive_write_zip_set_compression_store(out.get());
  } else {
    archive_write_set_format_ustar(out.get());
    if (path.extension() != ".tar") archive_write_add_filter_gzip(out.get());
  }
  ASSERT_EQ(archive_write_open_filename(out.get(), path.c_str()), ARCHIVE_OK);
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(archive_entry_new(), archive_entry_free);
  for (const auto& [name, bytes] : files) {
    archive_entry_clear(entry.get());
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry.get(), name.ends_with('/') ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    ASSERT_EQ(archive_write_header(out.get(), entry.get()), ARCHIVE_OK) << archive_error_string(out.get());
    ASSERT_EQ(archive_write_data(out.get(), bytes.data(), bytes.size()), static_cast<la_ssize_t>(bytes.size()));
  }
  ASSERT_EQ(archive_write_close(out.get()), ARCHIVE_OK);
}

}  // namespace uvic
