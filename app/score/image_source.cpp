#include "app/score/image_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <regex>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/npz.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "datasets/pictures.h"

namespace uvic {
namespace {

constexpr int64_t kAtOnce = 64;                                              // images in memory at a time
constexpr size_t kBytesAtOnce = size_t{64} << 20;                            // of encoded files
constexpr int64_t kMostScored = int64_t{1} << 25, kLongestScored = 1 << 16;  // pixels, which networks take as floats

// What PictureFiles::write_named calls its files.
bool is_collage(const std::string& name) {
  static const std::regex pattern("(.*/)?(grid|strip)-[0-9]{3,}\\.png");
  return std::regex_match(name, pattern);
}

std::vector<int64_t> range(int64_t begin, int64_t length) {
  std::vector<int64_t> indices(static_cast<size_t>(length));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

// Images [n, 3, H, W] uint8 that are in memory, or are soon: `images` gives `length` of them from `begin`.
class MemoryReader final : public ImageReader {
 public:
  using Images = std::function<Tensor(int64_t begin, int64_t length)>;
  MemoryReader(const Stretch& part, Images images) : part_(part), images_(std::move(images)) {}

  std::optional<std::vector<SourceImage>> next(const Wanted& wanted) override {
    stop_if_interrupted();
    if (done_ == part_.size()) return std::nullopt;
    const int64_t first = part_.begin + done_, length = std::min(kAtOnce, part_.end - first);
    const Tensor batch = images_(first, length).contiguous();
    std::vector<SourceImage> found;
    for (int64_t i = 0; i < length; ++i, ++done_) {
      const Tensor image = batch[i];
      if (!wanted || wanted(first + i, {static_cast<const char*>(image.data_ptr()), image.nbytes()}))
        found.push_back({first + i, fmt::format("image {}", first + i), "", image});
    }
    return found;
  }

 private:
  Stretch part_;
  Images images_;
};

class DatasetImages final : public ImageSource {
 public:
  explicit DatasetImages(std::shared_ptr<const Dataset> data) : data_(std::move(data)) {}

  int64_t size() const override { return data_->size(); }
  std::vector<LeftOut::Kind> left_out() const override { return data_->left_out(); }
  int64_t block() const override { return kAtOnce; }
  std::string fingerprint() const override {
    std::string all = data_->description();
    for (int64_t i = 0; i < size(); ++i)
      all += fmt::format("\n{} {}", data_->label(i), fmt::join(data_->captions(i), "\n"));
    return sha256_of_bytes(all);
  }
  std::unique_ptr<ImageReader> open(int64_t, const Stretch& part) const override {
    return std::make_unique<MemoryReader>(
        part, [this](int64_t begin, int64_t length) { return data_->images(range(begin, length)); });
  }

 private:
  std::shared_ptr<const Dataset> data_;
};

class ArrayImages final : public ImageSource {
 public:
  explicit ArrayImages(Tensor array) : array_(std::move(array)) {}

  int64_t size() const override { return array_.size(0); }
  int64_t block() const override { return kAtOnce; }
  std::string fingerprint() const override {
    return sha256_of_bytes(fmt::format("{}", fmt::join(array_.sizes(), " x ")));
  }
  std::unique_ptr<ImageReader> open(int64_t, const Stretch& part) const override {
    return std::make_unique<MemoryReader>(part, [this](int64_t begin, int64_t length) {
      return array_.narrow(0, begin, length).permute({0, 3, 1, 2});
    });
  }

 private:
  Tensor array_;  // [N, H, W, 3] uint8
};

class FileReader final : public ImageReader {
 public:
  // Of an archive, whose order nobody knows before, what lies before the part is read as well.
  FileReader(const FileTree& tree, const std::vector<std::string>& names, const Stretch& part)
      : part_(part),
        first_(tree.is_archive() ? 0 : part.begin),
        names_(names.begin() + first_, tree.is_archive() ? names.end() : names.begin() + part.end),
        files_(tree, part.size() > 0 ? names_ : std::vector<std::string>()),
        place_(first_) {}

  std::optional<std::vector<SourceImage>> next(const Wanted& wanted) override {
    std::vector<SourceImage> found;
    size_t held = 0;
    bool at_end = true;
    while (place_ < part_.end && held <= kBytesAtOnce) {
      stop_if_interrupted();
      std::optional<FileTree::Reader::File> file = files_.next();
      if (!file) break;
      if (place_++ < part_.begin) continue;
      at_end = false;
      ++done_;
      const auto index = first_ + static_cast<int64_t>(file->i);
      if (!wanted || wanted(index, file->bytes)) {
        held += file->bytes.size();
        found.push_back({index, names_[file->i], std::move(file->bytes), {}});
      }
      if (place_ % kAtOnce == 0) break;
    }
    return at_end ? std::nullopt : std::optional(std::move(found));
  }

 private:
  Stretch part_;
  int64_t first_;  // the index of names_[0]
  std::vector<std::string> names_;
  FileTree::Reader files_;
  int64_t place_;
};

class FileImages final : public ImageSource {
 public:
  explicit FileImages(FileTree tree) : tree_(std::move(tree)), names_(image_names(tree_)) {
    if (const auto collages = std::ranges::count_if(tree_.names(), is_collage); collages > 0)
      log_line(fmt::format("{}: {} grids and strips do not count as images", tree_.path().string(), collages));
    LeftOut left_out(tree_.path().string());
    leave_out_other_files(tree_, "", left_out);
    left_out.finish();
    left_out_ = left_out.kinds();
  }

  int64_t size() const override { return std::ssize(names_); }
  std::vector<LeftOut::Kind> left_out() const override { return left_out_; }
  int64_t block() const override { return kAtOnce; }
  std::string fingerprint() const override { return sha256_of_bytes(fmt::format("{}", fmt::join(names_, "\n"))); }
  std::unique_ptr<ImageReader> open(int64_t count, const Stretch& part) const override {
    return std::make_unique<FileReader>(tree_, std::vector(names_.begin(), names_.begin() + count), part);
  }

 private:
  FileTree tree_;
  std::vector<std::string> names_;
  std::vector<LeftOut::Kind> left_out_;
};

}  // namespace

Tensor decode(const SourceImage& image) {
  if (image.pixels.defined()) return image.pixels;
  const Tensor picture = decode_image(image.bytes, image.name);
  const int64_t height = picture.size(0), width = picture.size(1);
  if (height * width > kMostScored || std::max(height, width) > kLongestScored)
    fail("{}: {} x {} pixels are more than scores look at ({} in all, {} a side): resize it first", image.name, width,
         height, kMostScored, kLongestScored);
  return picture.permute({2, 0, 1});
}

Stretch part_of(const ImageSource& source, int64_t count, const Share& share) {
  const int64_t block = source.block();
  const Stretch blocks = share.of((count + block - 1) / block);
  return {std::min(blocks.begin * block, count), std::min(blocks.end * block, count)};
}

std::map<int64_t, Tensor> read_images(const ImageSource& source, const std::set<int64_t>& which) {
  std::map<int64_t, Tensor> images;
  if (which.empty()) return images;
  const auto reader = source.open(*which.rbegin() + 1);
  while (const auto some = reader->next([&](int64_t index, std::string_view) { return which.contains(index); }))
    for (const SourceImage& image : *some) images[image.index] = decode(image);
  return images;
}

std::unique_ptr<ImageSource> dataset_images(std::shared_ptr<const Dataset> data) {
  return std::make_unique<DatasetImages>(std::move(data));
}

std::vector<std::string> image_names(const FileTree& tree) {
  std::vector<std::string> names;
  for (const std::string& name : tree.names())
    if (has_image_extension(name) && !is_collage(name)) names.push_back(name);
  if (names.empty())
    fail(
        "no images in {} (.png, .jpg, .webp, .bmp, .gif, .tif); for a data set put its kind before the path, such as "
        "cifar10:{}",
        tree.path().string(), tree.path().string());
  return names;
}

std::unique_ptr<ImageSource> file_images(FileTree tree) {
  return std::make_unique<FileImages>(std::move(tree));
}

std::unique_ptr<ImageSource> array_images(const std::filesystem::path& npz) {
  const Tensor array = read_npz(npz).at("arr_0");
  if (array.dim() != 4 || array.size(3) != 3 || array.scalar_type() != at::kByte)
    fail("{}: arr_0 is [{}] of {}, expected images: [N, H, W, 3] of uint8", npz.string(),
         fmt::join(array.sizes(), ", "), at::toString(array.scalar_type()));
  if (array.size(1) == 0 || array.size(2) == 0)
    fail("{}: arr_0 is [{}], images without pixels", npz.string(), fmt::join(array.sizes(), ", "));
  return std::make_unique<ArrayImages>(array);
}

}  // namespace uvic
