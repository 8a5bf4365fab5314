#include "datasets/cifar10.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/archive.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/left_out.h"
#include "core/progress.h"
#include "core/text_file.h"
#include "datasets/cifar10_batch.h"
#include "datasets/pictures.h"

namespace uvic {
namespace {

constexpr std::array<std::string_view, 10> kClasses = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                       "dog",      "frog",       "horse", "ship", "truck"};
constexpr std::string_view kMetaFile = "batches.meta.txt";
constexpr int64_t kOfficialBatch = 10000;
constexpr std::string_view kExpected =
    "expected the folder cifar-10-batches-bin or cifar-10-batches-py, cifar-10-binary.tar.gz or "
    "cifar-10-python.tar.gz, or train/<class>/*.png; `uvic data fetch cifar10` downloads it";

struct Content {
  Cifar10Batch images;
  std::vector<std::string> classes{kClasses.begin(), kClasses.end()};
  std::vector<LeftOut::Kind> left_out;
};

// The files of a split that matter, by name: batches and the class names by their last component, pictures by
// class/file.
using Files = std::map<std::string, std::string, std::less<>>;

std::vector<std::string> batch_names(const std::string& split, std::string_view extension) {
  std::vector<std::string> names;
  if (split == "test") return {fmt::format("test_batch{}", extension)};
  for (int k = 1; k <= 5; ++k) names.push_back(fmt::format("data_batch_{}{}", k, extension));
  return names;
}

// The key of `path` in Files if it is of use for the split.
std::optional<std::string> key_of(const fs::path& path, const std::string& split) {
  const std::string name = path.filename();
  if (name == kMetaFile) return name;
  for (const auto extension : {".bin", ""})
    if (std::ranges::count(batch_names(split, extension), name) > 0) return name;
  const fs::path folder = path.parent_path();
  if (folder.parent_path().filename() != split || !has_image_extension(path) || name.front() == '.') return {};
  return (folder.filename() / name).string();
}

// A file among the pictures of a class of the split that is none.
void leave_out_of_classes(const fs::path& path, const std::string& split, LeftOut& left_out) {
  const fs::path folder = path.parent_path();
  if (folder.parent_path().filename() == split && path.filename().string().front() != '.')
    leave_out_other_file(path.string(), left_out);
}

Files read_files(const fs::path& path, const std::string& split, LeftOut& left_out) {
  Files files;
  if (fs::is_directory(path)) {
    for (const auto archive : {"cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"})
      if (!fs::exists(path / "cifar-10-batches-bin") && !fs::exists(path / "cifar-10-batches-py") &&
          fs::exists(path / archive))
        return read_files(path / archive, split, left_out);
    std::vector<fs::path> places = {path, path / "cifar-10-batches-bin", path / "cifar-10-batches-py"};
    if (fs::is_directory(path / split))
      for (const auto& entry : fs::directory_iterator(path / split)) places.push_back(entry.path());
    for (const auto& place : places) {
      if (!fs::is_directory(place)) continue;
      for (const auto& entry : fs::directory_iterator(place)) {
        stop_if_interrupted();
        const auto key = entry.is_regular_file() ? key_of(entry.path(), split) : std::nullopt;
        if (key)
          files.emplace(*key, read_file(entry.path(), "CIFAR-10 file"));
        else if (entry.is_regular_file())
          leave_out_of_classes(entry.path(), split, left_out);
      }
    }
  } else if (is_archive(path)) {
    for_each_in_archive(
        path,
        [&](std::string_view name) {
          const bool is_wanted = key_of(name, split).has_value();
          if (!is_wanted) leave_out_of_classes(name, split, left_out);
          return is_wanted;
        },
        [&](std::string_view name, std::string_view bytes) {
          if (files.insert_or_assign(*key_of(name, split), std::string(bytes)).second) return;
          left_out.add("files that a later one of the same name replaces",
                       fmt::format("the archive holds '{}' twice, and the last one counts", name));
        });
  }
  return files;
}

Cifar10Batch read_batches(Files& files, const fs::path& path, const std::vector<std::string>& names, bool binary) {
  std::vector<Tensor> pixels, labels;
  for (const auto& name : names) {
    const auto file = files.find(name);
    if (file == files.end()) fail("{}: {} is missing", path.string(), name);
    const std::string title = fmt::format("{} in {}", name, path.string());
    const Cifar10Batch batch =
        binary ? read_cifar10_binary(file->second, title) : read_cifar10_python(file->second, title);
    file->second.clear();
    file->second.shrink_to_fit();
    pixels.push_back(batch.pixels);
    labels.push_back(batch.labels);
    const int64_t n = batch.labels.size(0), first = labels.front().size(0);
    if (n != first)
      fail("{} holds {} images, but {} holds {}: one of them is truncated", title, n, names.front(), first);
  }
  if (const int64_t n = labels.front().size(0); n != kOfficialBatch)
    warn(fmt::format("{}: {} images per batch file, where CIFAR-10 has {}", path.string(), n, kOfficialBatch));
  return {at::cat(pixels), at::cat(labels)};
}

std::vector<std::string> read_class_names(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream lines{std::string(as_text(text, std::string(kMetaFile)))};
  for (std::string line; std::getline(lines, line);) {
    line.erase(line.find_last_not_of(" \r") + 1);
    if (!line.empty()) names.push_back(line);
  }
  if (names.size() != kClasses.size())
    fail("{}: expected {} class names, found {}", kMetaFile, kClasses.size(), names.size());
  return names;
}

// The pictures of class folders: the first of each class, then the second of each, so that any limit mixes the classes.
Cifar10Batch read_pictures(const Files& files, const fs::path& path, const CommonOptions& options, LeftOut& left_out) {
  struct Picture {
    int64_t place, label;
    const std::string *name, *bytes;
  };
  std::vector<Picture> pictures;
  std::array<int64_t, kClasses.size()> counts{};
  for (const auto& [name, bytes] : files) {
    if (name == kMetaFile) continue;
    const std::string folder = name.substr(0, name.find('/'));
    const auto label = std::ranges::find(kClasses, folder) - kClasses.begin();
    if (label == std::ssize(kClasses))
      fail("{}: '{}' is none of CIFAR-10's classes ({}): use folder:PATH for other pictures", path.string(), folder,
           fmt::join(kClasses, ", "));
    pictures.push_back({counts[label]++, label, &name, &bytes});
  }
  std::ranges::sort(pictures, {}, [](const Picture& p) { return std::pair(p.place, p.label); });
  if (options.limit > 0 && options.limit < std::ssize(pictures)) pictures.resize(options.limit);

  const auto n = std::ssize(pictures);
  std::vector<Tensor> decoded(n);
  std::vector<std::string> problems(n);
  at::parallel_for(0, n, 64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      stop_if_interrupted();
      const std::string title = options.split + '/' + *pictures[i].name;
      const PictureMemory memory;
      try {
        const Tensor image = decode_image(*pictures[i].bytes, title);
        if (image.size(0) != 32 || image.size(1) != 32)
          fail("{} is {} x {} pixels, expected 32 x 32: use folder:PATH for other pictures", title, image.size(1),
               image.size(0));
        decoded[i] = image.permute({2, 0, 1});
      } catch (const Error& error) {
        problems[i] = error.what();
      }
    }
  });

  if (std::ranges::none_of(decoded, [](const Tensor& image) { return image.defined(); }))
    fail("{}: none of its {} {} pictures can be used; the first: {}", path.string(), n, options.split, problems[0]);

  std::vector<Tensor> pixels;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) {
    if (decoded[i].defined()) {
      pixels.push_back(decoded[i]);
      labels.push_back(pictures[i].label);
    } else {
      if (options.strict) fail("cifar10:{}: {}", path.string(), problems[i]);
      left_out.add(problems[i]);
    }
  }
  return {at::stack(pixels), at::tensor(labels, at::kLong)};
}

Content read_content(const Spec& spec, const CommonOptions& options) {
  if (spec.path.empty()) fail("data '{}' names no path: {}", spec.text(), kExpected);
  const fs::path path = spec.path;
  if (!fs::exists(path)) fail("data '{}': there is no '{}': {}", spec.text(), spec.path, kExpected);
  LeftOut left_out("cifar10:" + path.string());
  Files files = read_files(path, options.split, left_out);
  const auto binary = batch_names(options.split, ".bin"), python = batch_names(options.split, "");
  const auto present = [&](const std::string& name) { return files.contains(name); };
  const bool is_binary = std::ranges::any_of(binary, present), is_python = std::ranges::any_of(python, present);
  const bool has_meta = files.contains(kMetaFile);
  Content content;
  if (!is_binary && !is_python) {
    if (files.size() == has_meta)
      fail("data '{}': '{}' holds no {} images of CIFAR-10: {}", spec.text(), spec.path, options.split, kExpected);
    content.images = read_pictures(files, path, options, left_out);
  } else {
    content.images = read_batches(files, path, is_binary ? binary : python, is_binary);
    if (has_meta) content.classes = read_class_names(files.find(kMetaFile)->second);
    if (options.limit > 0) {
      content.images.pixels = content.images.pixels.slice(0, 0, options.limit).clone();
      content.images.labels = content.images.labels.slice(0, 0, options.limit).clone();
    }
  }
  left_out.finish();
  content.left_out = left_out.kinds();
  return content;
}

class Cifar10 final : public Dataset {
 public:
  Cifar10(Content content, const Spec& spec, const CommonOptions& options)
      : content_(std::move(content)),
        image_size_(options.size > 0 ? options.size : 32),
        description_(fmt::format("CIFAR-10, {} split, from {}", options.split, spec.path)) {}

  int64_t size() const override { return content_.images.labels.size(0); }
  int64_t image_size() const override { return image_size_; }

  Tensor images(std::span<const int64_t> indices) const override {
    const Tensor index = at::tensor(at::ArrayRef<int64_t>(indices.data(), indices.size()), at::kLong);
    const Tensor images = content_.images.pixels.index_select(0, index);
    if (image_size_ == 32) return images;
    Tensor resized = at::empty({images.size(0), 3, image_size_, image_size_}, at::kByte);
    at::parallel_for(0, images.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const Tensor image = images[i].permute({1, 2, 0}).contiguous();
        resized[i].copy_(resize_like_pillow(image, image_size_, image_size_, Filter::kLanczos).permute({2, 0, 1}));
      }
    });
    return resized;
  }

  int64_t label(int64_t index) const override {
    TORCH_CHECK(index >= 0 && index < size(), "cifar10: image ", index, " of ", size());
    return content_.images.labels.const_data_ptr<int64_t>()[index];
  }

  std::vector<std::string> captions(int64_t index) const override {
    const std::string& name = content_.classes[label(index)];
    const bool vowel = std::string_view("aeiou").find(name.front()) != std::string_view::npos;
    return {fmt::format("a photo of {} {}", vowel ? "an" : "a", name)};
  }

  std::vector<std::string> classes() const override { return content_.classes; }
  std::vector<LeftOut::Kind> left_out() const override { return content_.left_out; }
  std::string description() const override { return description_; }

 private:
  Content content_;
  int64_t image_size_;
  std::string description_;
};

}  // namespace

std::shared_ptr<const Dataset> open_cifar10(const Spec& spec, const CommonOptions& options) {
  spec.expect_options({});
  return std::make_shared<Cifar10>(read_content(spec, options), spec, options);
}

}  // namespace uvic
