#include "app/draw/picture_files.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/writable.h"

namespace uvic {
namespace {

[[noreturn]] void refuse_existing(const fs::path& file) {
  fail("{} exists: give another --out, or --force to overwrite it", file.string());
}

// What nobody calls a folder.
bool names_other_picture(const fs::path& path) {
  static const std::set<std::string> endings{".avif", ".bmp",  ".gif", ".heic", ".jfif", ".jp2",
                                             ".jpe",  ".jpeg", ".jpg", ".jxl",  ".pdf",  ".pnm",
                                             ".ppm",  ".svg",  ".tif", ".tiff", ".webp"};
  return endings.contains(lower_extension(path));
}

int64_t next_number(const fs::path& folder, const std::string& prefix) {
  int64_t next = 0;
  if (fs::exists(folder))
    for (const auto& entry : fs::directory_iterator(folder))
      next = std::max(next, PictureFiles::number_of(entry.path(), prefix).value_or(-1) + 1);
  return next;
}

}  // namespace

std::optional<int64_t> PictureFiles::number_of(const fs::path& file, const std::string& prefix) {
  const std::string stem = file.stem().string();
  if (file.extension() != ".png" || !stem.starts_with(prefix)) return std::nullopt;
  const std::string digits = stem.substr(prefix.size());
  if (digits.empty() || digits.size() > 15 || !std::all_of(digits.begin(), digits.end(), ::isdigit))
    return std::nullopt;
  return std::stoll(digits);
}

PictureFiles::PictureFiles(const fs::path& out, bool force)
    : out_(out), single_file_(lower_extension(out) == ".png" && !fs::is_directory(out)), force_(force) {
  if (single_file_) {
    if (fs::exists(out) && !force) refuse_existing(out);
    expect_writable(out.parent_path());
    return;
  }
  if (fs::exists(out) && !fs::is_directory(out))
    fail("--out {} is a file, not a folder, and does not end in .png", out.string());
  if (names_other_picture(out) && !fs::exists(out))
    fail("--out {}: pictures are written as PNG, which keeps their recipe: give a name that ends in .png, or a folder",
         out.string());
  expect_writable(out);
  if (!force) next_ = next_number(out, "");
}

fs::path PictureFiles::write(const Tensor& image, const PngText& text, std::optional<int64_t> number) {
  return put(encode_png(image, text), [&]() -> fs::path {
    if (single_file_ && std::exchange(is_tried_, true)) refuse_existing(out_);
    if (single_file_) return out_;
    return numbered(number ? *std::exchange(number, std::nullopt) : next_++);
  });
}

fs::path PictureFiles::write_named(const std::string& kind, const Tensor& image, const PngText& text) {
  const auto known = next_named_.find(kind);
  int64_t& number = known != next_named_.end()
                        ? known->second
                        : next_named_.emplace(kind, force_ ? 0 : next_number(out_, kind + "-")).first->second;
  return put(encode_png(image, text), [&] { return named(kind, number++); });
}

fs::path PictureFiles::write_as(const fs::path& file, const Tensor& image, const PngText& text) const {
  bool is_tried = false;
  return put(encode_png(image, text), [&] {
    if (std::exchange(is_tried, true)) refuse_existing(file);
    return file;
  });
}

void PictureFiles::expect_free(const fs::path& file) const {
  if (!force_ && fs::exists(file)) refuse_existing(file);
}

fs::path PictureFiles::numbered(int64_t number) const {
  return out_ / fmt::format("{:06}.png", number);
}

fs::path PictureFiles::named(const std::string& kind, int64_t number) const {
  return out_ / fmt::format("{}-{:03}.png", kind, number);
}

fs::path PictureFiles::put(std::string_view bytes, const std::function<fs::path()>& next_name) const {
  if (!force_) return write_new(next_name, bytes);
  const fs::path path = next_name();
  write_atomically(path, bytes);
  return path;
}

}  // namespace uvic
