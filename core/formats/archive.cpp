#include "core/formats/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/unpacking.h"
#include "core/interrupt.h"
#include "core/text.h"

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
  const std::string name = lower_case(path.filename().string());
  return std::ranges::any_of(std::array{".tar", ".tar.gz", ".tgz", ".zip"},
                             [&](const char* ending) { return name.ends_with(ending); });
}

ArchiveReader::ArchiveReader(const fs::path& path) : path_(path), reader_(archive_read_new(), archive_read_free) {
  if (!fs::exists(path)) fail("there is no archive or folder {}", path.string());
  archive_read_support_format_tar(reader_.get());
  archive_read_support_format_zip(reader_.get());
  archive_read_support_filter_gzip(reader_.get());
  check(archive_read_open_filename(reader_.get(), path.c_str(), kBlock));
  most_ = most_unpacked(fs::file_size(path));
}

void ArchiveReader::check(int64_t status) const {
  if (status == ARCHIVE_WARN || status >= ARCHIVE_OK) return;  // warnings are about names and owners
  const char* why = archive_error_string(reader_.get());
  fail("{} is damaged, truncated or not an archive{}: {}", path_.string(),
       at_.empty() ? "" : " (at or after " + at_ + ")", why ? why : "unknown reason");
}

std::optional<ArchivedFile> ArchiveReader::next(const std::function<bool(std::string_view)>& wanted) {
  while (!at_end_) {
    stop_if_interrupted();
    const int status = archive_read_next_header(reader_.get(), &entry_);
    at_end_ = status == ARCHIVE_EOF;
    if (at_end_) break;
    check(status);
    at_ = name_of(entry_);
    if (archive_entry_filetype(entry_) != AE_IFREG && !archive_entry_hardlink(entry_)) continue;
    if (!wanted(at_)) continue;
    if (archive_entry_hardlink(entry_))
      fail("{}: {} is a hard link within the archive; pack it again with tar --hard-dereference", path_.string(), at_);
    return ArchivedFile{at_, unpack()};
  }
  return std::nullopt;
}

std::string ArchiveReader::unpack() {
  std::string bytes;
  while (true) {
    const size_t used = bytes.size();
    const auto stated = archive_entry_size_is_set(entry_) ? static_cast<uint64_t>(archive_entry_size(entry_)) : 0;
    // The stated size in one go where there is one, plus a byte to see the end; a damaged header cannot ask for much.
    bytes.resize(used + std::clamp<uint64_t>(stated + 1 - std::min<uint64_t>(stated, used), kBlock, 64 * kBlock));
    const la_ssize_t got = archive_read_data(reader_.get(), bytes.data() + used, bytes.size() - used);
    check(got);
    bytes.resize(used + static_cast<size_t>(std::max<la_ssize_t>(got, 0)));
    if (got == 0) break;
    if (bytes.size() > most_ - std::min(unpacked_, most_))
      fail("{}: up to {} it unpacks to more than {} MiB, which is beyond all proportion for its size", path_.string(),
           at_, most_ >> 20);
  }
  if (archive_entry_size_is_set(entry_) && static_cast<uint64_t>(archive_entry_size(entry_)) != bytes.size())
    fail("{} is truncated: {} has {} bytes instead of {}", path_.string(), at_, bytes.size(),
         archive_entry_size(entry_));
  unpacked_ += bytes.size();
  return bytes;
}

void for_each_in_archive(const fs::path& path, const std::function<bool(std::string_view)>& wanted,
                         const std::function<void(std::string_view, std::string_view)>& visit) {
  if (fs::is_directory(path)) return for_each_in_folder(path, wanted, visit);
  ArchiveReader archive(path);
  while (const std::optional<ArchivedFile> file = archive.next(wanted)) visit(file->name, file->bytes);
}

}  // namespace uvic
