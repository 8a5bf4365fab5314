// Images to be scored, wherever they come from: a data set, files of any size, or a model that draws them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>

#include "app/draw/pipeline.h"
#include "datasets/dataset.h"
#include "datasets/file_tree.h"

namespace uvic {

// An image that need not be decoded yet.
struct PendingImage {
  int64_t index;
  std::string name;                // in messages
  std::function<Tensor()> pixels;  // [3, H, W] uint8, from any thread; Error, naming the file, if it is damaged
};

struct ImageSource {
  // Whether to visit an image; none: all. `content` is what it is made from, such as the bytes of its file: of equal
  // content come equal images.
  using Wanted = std::function<bool(int64_t index, std::string_view content)>;
  using Visit = std::function<void(std::span<const PendingImage> pictures)>;
  using Tick = std::function<void(int64_t done)>;  // images gone through so far; may throw to stop

  int64_t size = 0;  // images there are
  // Goes through the first `count` images, in any order, and visits those wanted, several at a time.
  std::function<void(int64_t count, const Wanted& wanted, const Visit& visit, const Tick& tick)> read;
  std::vector<LeftOut::Kind> left_out = {};  // what there is beside them, and damaged ones that are known already
};

// The images of those indices; Error if one is damaged.
std::map<int64_t, Tensor> read_images(const ImageSource& source, const std::set<int64_t>& which);

ImageSource dataset_images(std::shared_ptr<const Dataset> data);

// Every image file in a folder and the folders below it, or in an archive, at its own size and in the order of
// image_names.
ImageSource file_images(const FileTree& tree);
// The names of image files, sorted. The collages that `sample` writes beside its images (grid-000.png, strip-000.png)
// do not count. Error if there are none.
std::vector<std::string> image_names(const FileTree& tree);

// Images as ADM and its successors exchange them: an .npz with arr_0 uint8 [N, H, W, 3]. What else it holds (arr_1,
// labels) does not matter. Error if arr_0 is something else.
bool is_image_array(const std::filesystem::path& npz);  // by the names in it: arr_0 and no mu
ImageSource array_images(const std::filesystem::path& npz);

// Image i is drawn from seed i, EMA weights, and the class or first caption of image i (cyclically) of `conditions`,
// which may be null for models that take none. `model` must outlive the result.
ImageSource model_images(const Model& model, std::shared_ptr<const Dataset> conditions, const GenerateOptions& how);

// Where `count` images of the model take their conditions from: `other` (may be null) if it has what the model was
// trained with, else the model's own data, its test split if there is one. Null if the model takes none.
std::shared_ptr<const Dataset> conditions_for(const Model& model, std::shared_ptr<const Dataset> other, int64_t count);

}  // namespace uvic
