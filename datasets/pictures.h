// The data set that folder and coco share: pictures of any size out of a folder or archive, cropped to squares.
#pragma once

#include <string>
#include <vector>

#include "core/left_out.h"
#include "datasets/dataset.h"
#include "datasets/file_tree.h"

namespace uvic {

struct Picture {
  std::string name;  // in the FileTree
  int64_t label = -1;
  std::vector<std::string> captions;
};

struct PictureConfig {
  int64_t size = 0;  // centre crop, then Lanczos to size x size; 0: all must be square and equal, and stay as they are
  bool strict = false;                      // a missing or corrupt picture is an Error
  int64_t memory_limit = int64_t{2} << 30;  // bytes
};

// Every picture is decoded once on opening, so that missing and corrupt ones are known before training starts: they are
// named in a warning, left out and counted. If the squares fit the memory limit, or come out of an archive, where there
// is no going back, they stay in memory as one uint8 tensor; otherwise each is read again whenever it is asked for.
class PictureSet : public Dataset {
 public:
  // `left_out` names the data set in messages, and may have counted what is no picture.
  PictureSet(LeftOut left_out, FileTree files, std::vector<Picture> pictures, std::vector<std::string> classes,
             const PictureConfig& config);

  int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }
  int64_t image_size() const override { return size_; }
  Tensor images(std::span<const int64_t> indices) const override;
  int64_t label(int64_t index) const override { return pictures_.at(index).label; }
  std::vector<std::string> captions(int64_t index) const override { return pictures_.at(index).captions; }
  std::vector<std::string> classes() const override { return classes_; }
  std::vector<LeftOut::Kind> left_out() const override { return left_out_.kinds(); }
  std::string description() const override;

 private:
  Tensor square(std::string_view bytes, const std::string& name) const;  // [3, H, W]; H, W = size_ if that is set
  void set_size(int64_t height, int64_t width, const std::string& name);
  std::vector<bool> load(const PictureConfig& config);  // which pictures are good

  LeftOut left_out_;
  std::string what_;
  FileTree files_;
  std::vector<Picture> pictures_;
  std::vector<std::string> classes_;
  bool crop_;
  int64_t size_;
  Tensor stored_;  // [n, 3, size, size] uint8; undefined: not kept in memory
};

// Counts a file that is neither a picture that can be read nor captions.
void leave_out_other_file(const std::string& name, LeftOut& left_out);
// All of them below `root` ("" or a folder with '/'), and what an archive holds twice.
void leave_out_other_files(const FileTree& files, std::string_view root, LeftOut& left_out);

bool has_text_extension(const std::filesystem::path& path);  // .txt, in capitals too
std::string clean_caption(std::string_view text);            // without the white space around it

}  // namespace uvic
