// Where a distance comes from: its two parts, and the images of A that are nearest to and farthest from B.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/score/side.h"

namespace uvic {

struct FrechetParts {
  double means, covariances;  // their sum is the distance
};
FrechetParts frechet_parts(const Gaussian& a, const Gaussian& b);

// The distance of what both sides have of one class: features of its images alone.
struct ClassDistance {
  std::string name;
  int64_t of_a, of_b;  // images
  double distance;
};
// The farthest first; classes of fewer than two images on either side are left out. Empty unless both sides have the
// same classes and kept features.
std::vector<ClassDistance> class_distances(const Side& a, const Side& b);

// The nearest image of B for each image of A, in features.
struct Nearest {
  Tensor distance, index;  // [N] float64 (not squared), [N] int64
};
Nearest nearest_images(const Tensor& a, const Tensor& b);

// Writes a PNG of pairs, an image of A and beside it the nearest of B with its distance: the eight pairs that are
// nearest (copies of training images would be there), then the eight farthest. Both sides must have images and kept
// features.
void write_pairs(const std::filesystem::path& file, const Side& a, const Side& b);

}  // namespace uvic
