// A data set: images of one size, each with an optional class and captions, found by index.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/left_out.h"
#include "core/registry.h"
#include "core/tensor.h"
#include "datasets/spec.h"

namespace uvic {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;                                   // number of images, > 0
  virtual int64_t image_size() const = 0;                             // H = W
  virtual Tensor images(std::span<const int64_t> indices) const = 0;  // [n, 3, H, W] uint8; thread-safe
  virtual int64_t label(int64_t) const { return -1; }                 // class id, -1: none
  virtual std::vector<std::string> captions(int64_t) const { return {}; }
  virtual std::vector<std::string> classes() const { return {}; }     // class names by id; empty: no classes
  virtual std::vector<LeftOut::Kind> left_out() const { return {}; }  // what of its files is not used, and why
  virtual std::string description() const = 0;                        // one line for `data info`
  int64_t skipped() const;                                            // how many files and lines left_out counts
};

// Opens the data set that a SPEC names. Error for a wrong path, an empty folder, a truncated archive, an unknown
// option; Interrupted after Ctrl-C.
std::shared_ptr<const Dataset> open_dataset(const Spec& spec);
std::shared_ptr<const Dataset> open_dataset(const std::string& spec);

using OpenDataset = std::shared_ptr<const Dataset> (*)(const Spec& spec, const CommonOptions& options);
std::span<const Entry<OpenDataset>> dataset_kinds();
bool names_dataset(const std::string& text);  // whether it begins with one of these kinds, as a SPEC does

}  // namespace uvic
