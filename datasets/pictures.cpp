#include "datasets/pictures.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/left_out.h"
#include "core/progress.h"

namespace uvic {
namespace {

// Files held in memory while they are decoded in parallel, their bytes, and those of the pictures if they stay as they
// are.
constexpr size_t kAtOnce = 64, kBytesAtOnce = size_t{64} << 20, kPixelBytesAtOnce = size_t{256} << 20;
constexpr int64_t kLargestAsIs = 4096;  // side of pictures that are not resized

}  // namespace

PictureSet::PictureSet(LeftOut left_out, FileTree files, std::vector<Picture> pictures,
                       std::vector<std::string> classes, const PictureConfig& config)
    : left_out_(std::move(left_out)),
      what_(left_out_.what()),
      files_(std::move(files)),
      pictures_(std::move(pictures)),
      classes_(std::move(classes)),
      crop_(config.size > 0),
      size_(config.size) {
  const std::vector<bool> good = load(config);
  const auto total = static_cast<int64_t>(good.size());
  const int64_t bad = std::count(good.begin(), good.end(), false);
  if (bad == 0) return;
  if (bad == total) fail("{}: none of its {} images can be read", what_, total);

  std::vector<int64_t> kept;
  for (int64_t i = 0; i < total; ++i) {
    if (!good[i]) continue;
    if (const auto to = static_cast<int64_t>(kept.size()); to != i) pictures_[to] = std::move(pictures_[i]);
    kept.push_back(i);
  }
  pictures_.resize(kept.size());
  if (stored_.defined()) stored_ = stored_.index_select(0, at::tensor(kept, at::kLong));
}

Tensor PictureSet::square(std::string_view bytes, const std::string& name) const {
  const PictureMemory memory;
  const Tensor image = decode_image(bytes, name);
  return (crop_ ? center_crop_resize(image, size_) : image).permute({2, 0, 1});
}

void PictureSet::set_size(int64_t height, int64_t width, const std::string& name) {
  const int64_t first = size_ == 0 ? height : size_;
  if (height != first || width != first)
    fail(
        "{}: '{}' is {} x {} pixels, but without a size all images must be equal squares{}: add ?size={} to crop and "
        "resize",
        what_, name, width, height, size_ == 0 ? "" : fmt::format(" (others are {} x {})", size_, size_),
        size_ == 0 ? std::min(height, width) : size_);
  if (first > kLargestAsIs)
    fail("{}: pictures of {} x {} pixels: add ?size=, up to {}", what_, width, height, kLargestAsIs);
  size_ = first;
}

std::vector<bool> PictureSet::load(const PictureConfig& config) {
  const size_t total = pictures_.size();
  std::vector<std::string> names;
  for (const Picture& picture : pictures_) names.push_back(picture.name);
  std::vector<bool> good(total, false);
  const auto refuse = [&](const std::string& problem) {
    if (config.strict) fail("{}: {}", what_, problem);
    left_out_.add(problem);
  };
  for (const std::string& name : names)
    if (!files_.has(name)) refuse(fmt::format("'{}' is missing", name));

  struct File {
    size_t index;
    std::string bytes, problem;
    Tensor picture;  // undefined if it is not of the size of all
    int64_t height = 0, width = 0;
  };
  std::vector<File> files;
  size_t bytes_held = 0;
  Progress progress("reading " + what_, static_cast<int64_t>(total), "image");
  int64_t done = 0;

  const auto decode = [&] {
    at::parallel_for(0, static_cast<int64_t>(files.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        try {
          Tensor picture = square(files[i].bytes, names[files[i].index]);
          files[i].height = picture.size(1), files[i].width = picture.size(2);
          if (size_ == 0 || (files[i].height == size_ && files[i].width == size_))
            files[i].picture = std::move(picture);
        } catch (const Error& e) {
          files[i].problem = e.what();
        }
      }
    });
    for (const File& file : files) {
      if (!file.problem.empty()) {
        refuse(file.problem);
        continue;
      }
      if (!crop_) set_size(file.height, file.width, names[file.index]);
      const int64_t bytes = static_cast<int64_t>(total) * file.picture.numel();
      if (!stored_.defined() && (files_.is_archive() || bytes <= config.memory_limit))
        stored_ = at::empty({static_cast<int64_t>(total), 3, size_, size_}, at::kByte);
      if (stored_.defined()) stored_[static_cast<int64_t>(file.index)].copy_(file.picture);
      good[file.index] = true;
    }
    done += static_cast<int64_t>(files.size());
    progress.update(done);
    files.clear();
    bytes_held = 0;
  };
  // Without a size the first picture alone tells how large they are.
  const auto most = [&]() -> size_t {
    if (crop_) return kAtOnce;
    return size_ == 0 ? 1 : std::clamp<size_t>(kPixelBytesAtOnce / static_cast<size_t>(3 * size_ * size_), 1, kAtOnce);
  };

  files_.read(names, [&](size_t index, std::string_view bytes) {
    stop_if_interrupted();
    bytes_held += bytes.size();
    files.push_back({.index = index, .bytes = std::string(bytes), .problem = "", .picture = {}});
    if (files.size() >= most() || bytes_held > kBytesAtOnce) decode();
  });
  decode();
  left_out_.finish();
  return good;
}

Tensor PictureSet::images(std::span<const int64_t> indices) const {
  const auto count = static_cast<int64_t>(indices.size());
  if (stored_.defined()) {
    const Tensor wanted = at::from_blob(const_cast<int64_t*>(indices.data()), {count}, at::kLong);
    return stored_.index_select(0, wanted);
  }
  Tensor result = at::empty({count, 3, size_, size_}, at::kByte);
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const std::string& name = pictures_.at(indices[i]).name;
      const Tensor picture = square(files_.read(name), name);
      if (picture.size(1) != size_ || picture.size(2) != size_) fail("{}: '{}' has changed its size", what_, name);
      result[i].copy_(picture);
    }
  });
  return result;
}

std::string PictureSet::description() const {
  const bool captioned =
      std::any_of(pictures_.begin(), pictures_.end(), [](const auto& p) { return !p.captions.empty(); });
  return fmt::format("{}: {} images of {} x {}{}{}", what_, size(), size_, size_,
                     classes_.empty() ? "" : fmt::format(", {} classes", classes_.size()),
                     captioned ? ", captions" : "");
}

void leave_out_other_file(const std::string& name, LeftOut& left_out) {
  const std::filesystem::path path(name);
  if (has_image_extension(path) || path.filename() == "metadata.jsonl" || has_text_extension(path)) return;
  if (has_foreign_image_extension(path))
    left_out.add("pictures in a format that is not read",
                 fmt::format("'{}' is a picture in a format that uvic does not read", name));
  else if (!path.has_extension())
    left_out.add("files without an ending", fmt::format("'{}' has no ending that says what it is", name));
  else
    left_out.add("files that are neither pictures nor captions",
                 fmt::format("'{}' is neither a picture nor captions", name));
}

void leave_out_other_files(const FileTree& files, std::string_view root, LeftOut& left_out) {
  for (const std::string& name : files.names())
    if (name.starts_with(root)) leave_out_other_file(name, left_out);
  for (const auto& [name, count] : files.replaced())
    for (int64_t i = 0; i < count && name.starts_with(root); ++i)
      left_out.add("files that a later one of the same name replaces",
                   fmt::format("the archive holds '{}' twice, and the last one counts", name));
}

bool has_text_extension(const std::filesystem::path& path) {
  return lower_extension(path) == ".txt";
}

std::string clean_caption(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

}  // namespace uvic
