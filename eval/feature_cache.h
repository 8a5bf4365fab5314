// A .feats file that grows: what it has of an image need not be computed again.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "eval/feats.h"

namespace uvic {

class FeatureCache {
 public:
  // For `count` images; `notes` say of which source and by which network. Error if `file` is there already and holds
  // features of another network; with `overwrite` what it holds does not count.
  FeatureCache(std::filesystem::path file, std::map<std::string, std::string> notes, int64_t count, bool overwrite);

  int64_t rows() const { return rows_; }
  bool has(std::string_view content) const { return row_of_.contains(key_of(content)); }

  // Image `index` of those that the file is to have is made from `content`. True if its row was not in the file before:
  // images that repeat are computed each time, so that what goes through the network together, on which its rounding
  // may depend, does not depend on images far before.
  bool needs(int64_t index, std::string_view content);
  void add(const Activations& batch, std::span<const int64_t> indices);  // rows of images that were needed

  void save();               // what there is, noted as unfinished
  void save_now_and_then();  // not before a minute has gone, nor so often that writing takes long
  // At the end: the rows of the images, in their order, without those that could not be computed. How many there are.
  int64_t finish();

 private:
  using Clock = std::chrono::steady_clock;
  static int64_t key_of(std::string_view content);

  std::filesystem::path file_;
  std::map<std::string, std::string> notes_;
  int64_t count_;
  std::vector<Activations> parts_;
  std::vector<int64_t> keys_;                    // of all rows of `parts_`
  std::unordered_map<int64_t, int64_t> row_of_;  // by key
  std::map<int64_t, int64_t> key_of_image_;      // by index
  int64_t rows_ = 0, rows_before_ = 0;           // the latter: of the file as it was opened
  Clock::time_point saved_ = Clock::now();
  Clock::duration pause_ = std::chrono::minutes(1);
};

}  // namespace uvic
