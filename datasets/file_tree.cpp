#include "datasets/file_tree.h"

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/interrupt.h"

namespace uvic {
namespace {

bool is_hidden(std::string_view name) {
  return name.starts_with('.') || name.find("/.") != std::string_view::npos || name.starts_with("__MACOSX/");
}

// "./a//b.png", as tar writes it, is "a/b.png".
std::string normal(std::string_view name) {
  return fs::path(name).lexically_normal().generic_string();
}

// Whether an entry is a link to a folder that it lies in.
bool leads_back(const fs::directory_entry& entry) {
  if (!entry.is_symlink() || !entry.is_directory()) return false;
  const fs::path target = fs::canonical(entry.path()), place = fs::canonical(entry.path().parent_path());
  return std::mismatch(target.begin(), target.end(), place.begin(), place.end()).first == target.end();
}

std::vector<std::string> names_in_folder(const fs::path& folder) {
  std::vector<std::string> names;
  try {
    fs::recursive_directory_iterator walk(folder, fs::directory_options::follow_directory_symlink);
    for (; walk != fs::recursive_directory_iterator(); ++walk) {
      stop_if_interrupted();
      if (leads_back(*walk)) walk.disable_recursion_pending();
      if (walk->is_regular_file()) names.push_back(walk->path().lexically_relative(folder).generic_string());
    }
  } catch (const fs::filesystem_error& e) {
    fail("cannot list the folder '{}': {}", folder.string(), e.code().message());
  }
  return names;
}

std::vector<std::string> names_in_archive(const fs::path& archive) {
  std::vector<std::string> names;
  const auto note = [&](std::string_view name) {
    names.push_back(normal(name));
    return false;
  };
  for_each_in_archive(archive, note, [](std::string_view, std::string_view) {});
  return names;
}

}  // namespace

FileTree::FileTree(fs::path path) : path_(std::move(path)), is_archive_(false) {
  if (fs::is_directory(path_)) {
    names_ = names_in_folder(path_);
  } else {
    if (!fs::exists(path_)) fail("'{}' does not exist", path_.string());
    if (!uvic::is_archive(path_)) fail("'{}' is neither a folder nor a .tar, .tar.gz or .zip archive", path_.string());
    is_archive_ = true;
    names_ = names_in_archive(path_);
  }
  std::erase_if(names_, is_hidden);
  std::sort(names_.begin(), names_.end());
  for (size_t i = 1; i < names_.size(); ++i)
    if (names_[i] == names_[i - 1]) ++replaced_[names_[i]];
  names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
}

bool FileTree::has(const std::string& name) const {
  return std::binary_search(names_.begin(), names_.end(), name);
}

FileTree::Reader::Reader(const FileTree& tree, std::vector<std::string> wanted)
    : tree_(tree), wanted_(std::move(wanted)) {
  if (!tree.is_archive() || wanted_.empty()) return;
  archive_ = std::make_unique<ArchiveReader>(tree.path());
  for (size_t i = 0; i < wanted_.size(); ++i) index_.emplace(wanted_[i], i);
  to_replace_ = tree.replaced();
}

std::optional<FileTree::Reader::File> FileTree::Reader::next() {
  if (!archive_) {
    while (next_ < wanted_.size() && !tree_.has(wanted_[next_])) ++next_;
    if (next_ == wanted_.size()) return std::nullopt;
    const size_t i = next_++;
    return File{i, read_file(tree_.path() / wanted_[i], "file")};
  }
  const auto is_last = [&](const std::string& name) {
    const auto earlier = to_replace_.find(name);
    return earlier == to_replace_.end() || earlier->second-- == 0;
  };
  std::optional<ArchivedFile> file = archive_->next([&](std::string_view entry) {
    const std::string name = normal(entry);
    return index_.contains(name) && is_last(name);
  });
  if (!file) return std::nullopt;
  return File{index_.at(normal(file->name)), std::move(file->bytes)};
}

void FileTree::read(std::span<const std::string> wanted,
                    const std::function<void(size_t i, std::string_view bytes)>& visit) const {
  Reader reader(*this, {wanted.begin(), wanted.end()});
  while (const auto file = reader.next()) visit(file->i, file->bytes);
}

std::string FileTree::read(const std::string& name) const {
  if (!has(name)) fail("'{}' holds no '{}'", path_.string(), name);
  std::string contents;
  read(std::span(&name, 1), [&](size_t, std::string_view bytes) { contents = bytes; });
  return contents;
}

std::string_view folder_part(std::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash + 1);
}

}  // namespace uvic
