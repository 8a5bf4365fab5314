#include "core/formats/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/unpacking.h"
#include "core/interrupt.h"

namespace uvic {
namespace {

constexpr size_t kBlock = 1 << 16;

// Names are relative, with '/' between folders, in both kinds of source.
std::string_view without_dot(std::string_view name) {
  while (name.starts_with("./")) name.remove_prefix(2);
  return name;
}

void for_each_in_folder(const fs::path& folder, const std::function<bool(std::string_view)>& wanted,
                        const std::function<void(std::string_view, std::string_view)>& visit) {
  std::vector<std::string> names;
  std::error_code error;
  fs::recursive_directory_iterator walk(folder, error), end;
  for (; !error && walk != end; walk.increment(error)) {
    const std::string name = walk->path().lexically_relative(folder).generic_string();
    if (walk->is_regular_file() && wanted(name)) names.push_back(name);
  }
  if (error) fail("cannot list the folder {}: {}", folder.string(), error.message());
  std::sort(names.begin(), names.end());  // the file system's order is not the same everywhere
  for (const auto& name : names) visit(name, read_file(folder / name, "file"));
}

std::string name_of(archive_entry* entry) {
  // The UTF-8 form does not depend on the locale, but names that are not UTF-8 have none.
  const char* name = archive_entry_pathname_utf8(entry);
  if (!name) name = archive_entry_pathname(entry);
  return name ? std::string(without_dot(name)) : std::string();
}

}  // namespace

bool is_archive(const fs::path& path) {
  std::string name = path.filename().string();
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::ranges::any_of(std::array{".tar", ".tar.gz", ".tgz", ".zip"},
                             [&](const char* ending) { return name.ends_with(ending); });
}

void for_each_in_archive(const fs::path& path, const std::function<bool(std::string_view)>& wanted,
                         const std::function<void(std::string_view, std::string_view)>& visit) {
  if (fs::is_directory(path)) return for_each_in_folder(path, wanted, visit);
  if (!fs::exists(path)) fail("there is no archive or folder {}", path.string());

  const std::unique_ptr<archive, int (*)(archive*)> reader(archive_read_new(), archive_read_free);
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_zip(reader.get());
  archive_read_support_filter_gzip(reader.get());
  std::string at;  // the file inside, for errors
  const auto check = [&](la_ssize_t status) {
    if (status == ARCHIVE_WARN || status >= ARCHIVE_OK) return;  // warnings are about names and owners
    const char* why = archive_error_string(reader.get());
    fail("{} is damaged, truncated or not an archive{}: {}", path.string(),
         at.empty() ? "" : " (at or after " + at + ")", why ? why : "unknown reason");
  };
  check(archive_read_open_filename(reader.get(), path.c_str(), kBlock));

  const uint64_t most = most_unpacked(fs::file_size(path));
  uint64_t before = 0;  // unpacked, of the files that were visited
  std::string bytes;
  archive_entry* entry = nullptr;
  while (true) {
    stop_if_interrupted();
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    check(status);
    at = name_of(entry);
    if (archive_entry_filetype(entry) != AE_IFREG && !archive_entry_hardlink(entry)) continue;
    if (!wanted(at)) continue;
    if (archive_entry_hardlink(entry))
      fail("{}: {} is a hard link within the archive; pack it again with tar --hard-dereference", path.string(), at);
    bytes.clear();
    while (true) {
      const size_t used = bytes.size();
      const auto stated = archive_entry_size_is_set(entry) ? static_cast<uint64_t>(archive_entry_size(entry)) : 0;
      // The stated size in one go where there is one, plus a byte to see the end; a damaged header cannot ask for much.
      bytes.resize(used + std::clamp<uint64_t>(stated + 1 - std::min<uint64_t>(stated, used), kBlock, 64 * kBlock));
      const la_ssize_t got = archive_read_data(reader.get(), bytes.data() + used, bytes.size() - used);
      check(got);
      bytes.resize(used + static_cast<size_t>(std::max<la_ssize_t>(got, 0)));
      if (got == 0) break;
      if (bytes.size() > most - std::min(before, most))
        fail("{}: up to {} it unpacks to more than {} MiB, which is beyond all proportion for its size", path.string(),
             at, most >> 20);
    }
    if (archive_entry_size_is_set(entry) && static_cast<uint64_t>(archive_entry_size(entry)) != bytes.size())
      fail("{} is truncated: {} has {} bytes instead of {}", path.string(), at, bytes.size(),
           archive_entry_size(entry));
    before += bytes.size();
    visit(at, bytes);
  }
}

}  // namespace uvic
