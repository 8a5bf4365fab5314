// Images to be scored, wherever they come from: a data set, files of any size, or a model that draws them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/left_out.h"
#include "core/share.h"
#include "datasets/dataset.h"
#include "datasets/file_tree.h"

namespace uvic {

struct SourceImage {
  int64_t index;
  std::string name;   // in messages
  std::string bytes;  // of its file; empty: `pixels` are there
  Tensor pixels;      // [3, H, W] uint8
};

// [3, H, W] uint8, from any thread. Error, naming the file, if it is damaged or larger than scores look at.
Tensor decode(const SourceImage& image);

// Whether an image counts; none: all do. `content` is what it is made from, such as the bytes of its file: of equal
// content come equal images.
using Wanted = std::function<bool(int64_t index, std::string_view content)>;

// Goes through images once.
class ImageReader {
 public:
  virtual ~ImageReader() = default;
  // The next images that are wanted, several at a time and perhaps none of these; nothing at the end. Interrupted after
  // Ctrl-C.
  virtual std::optional<std::vector<SourceImage>> next(const Wanted& wanted) = 0;

  // How many of its part it has gone through; on the way there `on_done` is called with as many, where a batch takes
  // long.
  int64_t done() const { return done_; }
  std::function<void(int64_t done)> on_done;

 protected:
  int64_t done_ = 0;
};

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual int64_t size() const = 0;  // images there are
  // Goes through the first `count` images in an order that is always the same, or through a part of them: the images at
  // those places in that order. The source must outlive it.
  virtual std::unique_ptr<ImageReader> open(int64_t count, const Stretch& part) const = 0;
  std::unique_ptr<ImageReader> open(int64_t count) const { return open(count, {0, count}); }
  // At every multiple of it a reader begins a new batch. Batches of a part that begins and ends there are those of the
  // whole, and numbers may depend on what goes through a network together.
  virtual int64_t block() const = 0;
  // SHA-256 of what tells these images from others without reading them.
  virtual std::string fingerprint() const = 0;
  // What there is beside them, and damaged ones that are known already.
  virtual std::vector<LeftOut::Kind> left_out() const { return {}; }
};

// The share's of the first `count` images, in whole batches.
Stretch part_of(const ImageSource& source, int64_t count, const Share& share);

// The images of those indices; Error if one is damaged.
std::map<int64_t, Tensor> read_images(const ImageSource& source, const std::set<int64_t>& which);

std::unique_ptr<ImageSource> dataset_images(std::shared_ptr<const Dataset> data);

// Every image file in a folder and the folders below it, or in an archive, at its own size and in the order of
// image_names.
std::unique_ptr<ImageSource> file_images(FileTree tree);
// The names of image files, sorted. The collages that `sample` writes beside its images (grid-000.png, strip-000.png)
// do not count. Error if there are none.
std::vector<std::string> image_names(const FileTree& tree);

// Images as ADM and its successors exchange them: an .npz with arr_0 uint8 [N, H, W, 3]. What else it holds (arr_1,
// labels) does not matter. Error if arr_0 is something else.
std::unique_ptr<ImageSource> array_images(const std::filesystem::path& npz);

}  // namespace uvic
