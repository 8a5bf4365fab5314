#include "app/picture_files.h"

#include <algorithm>

#include "app/writable.h"
#include "core/error.h"
#include "core/files.h"

namespace uvic {
namespace {

// The number behind `prefix` in names like prefix000012.png; -1 for other names.
int64_t number_of(const fs::path& file, const std::string& prefix) {
  const std::string stem = file.stem().string();
  if (file.extension() != ".png" || !stem.starts_with(prefix)) return -1;
  const std::string digits = stem.substr(prefix.size());
  if (digits.empty() || digits.size() > 15 || !std::all_of(digits.begin(), digits.end(), ::isdigit)) return -1;
  return std::stoll(digits);
}

int64_t next_number(const fs::path& folder, const std::string& prefix) {
  int64_t next = 0;
  if (fs::exists(folder))
    for (const auto& entry : fs::directory_iterator(folder)) next = std::max(next, number_of(entry.path(), prefix) + 1);
  return next;
}

}  // namespace

PictureFiles::PictureFiles(const fs::path& out, bool force)
    : out_(out), single_file_(out.extension() == ".png"), force_(force) {
  if (single_file_) {
    if (fs::exists(out) && !force) fail("{} exists: give another --out, or --force to overwrite it", out.string());
    expect_writable(out.parent_path());
    return;
  }
  if (fs::exists(out) && !fs::is_directory(out))
    fail("--out {} is a file, not a folder, and does not end in .png", out.string());
  expect_writable(out);
  if (!force) next_ = next_number(out, "");
}

fs::path PictureFiles::write(const Tensor& image, const PngText& text) {
  const fs::path path = single_file_ ? out_ : out_ / fmt::format("{:06}.png", next_++);
  write_png(path, image, text);
  return path;
}

fs::path PictureFiles::write_named(const std::string& kind, const Tensor& image, const PngText& text) {
  const auto known = next_named_.find(kind);
  int64_t& number = known != next_named_.end()
                        ? known->second
                        : next_named_.emplace(kind, force_ ? 0 : next_number(out_, kind + "-")).first->second;
  const fs::path path = out_ / fmt::format("{}-{:03}.png", kind, number++);
  write_png(path, image, text);
  return path;
}

}  // namespace uvic
