// Drawing that starts from a picture: image to image, and inpainting.
#pragma once

#include <filesystem>
#include <string>

#include "app/model/model.h"

namespace uvic {

struct Edit {
  Tensor image;                       // [H, W, 3] uint8, of the size that the model draws
  Tensor repaint;                     // [H, W] bool: where it is drawn anew; undefined: everywhere
  std::string image_hash, mask_hash;  // of the files: first 10 digits of the SHA-256
};

// Both are turned upright (EXIF), cropped to the largest centred square and resized as training pictures are. The
// mask's bright parts (128 of 255 and more, transparent ones seen on black) are repainted; "": no mask. Error if the
// mask has another size than the picture, or is dark everywhere.
Edit read_edit(const std::filesystem::path& image, const std::filesystem::path& mask, int64_t size);

// A file in memory; its name is for messages, "" means that there is none.
struct PictureFile {
  std::string bytes, name;
};
Edit make_edit(const PictureFile& image, const PictureFile& mask, int64_t size);

// What is drawn over an edit's picture where nobody says how strongly: 0.6 of noise, or all of it in the mask's holes.
double default_strength(const Edit& edit);

struct EditStart {
  Tensor
      x0;  // [1, C, H, W] float32, what the model would draw the picture as: pixels, or the mean of its latents, scaled
  Tensor known;  // [1, 1, H, W] bool: what stays; of latents, those of which no pixel is repainted. Undefined: nothing
};
EditStart start_of(const Model& model, const Edit& edit);

}  // namespace uvic
