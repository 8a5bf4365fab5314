// Captions apart from pictures: what pictures are drawn by, or scored against.
#pragma once

#include <memory>
#include <string>

#include "datasets/dataset.h"
#include "datasets/file_tree.h"

namespace uvic {

// The captions of a file of prompts, one a line, or of a data SPEC, whose first `limit` images are enough (0: all).
// Error if `text` is neither, if the file is no UTF-8 text or holds JSON, and if the data have none.
std::shared_ptr<const Dataset> open_captions(const std::string& text, int64_t limit);

// Of the first `count` of image_names(files): what captions_beside finds, else the prompt that `uvic sample` wrote into
// a PNG. Error that names an image without; one that cannot be read needs none and has "". With progress; Interrupted
// after Ctrl-C.
std::shared_ptr<const Dataset> captions_of_files(const FileTree& files, int64_t count);

// Image i of others goes with caption i, cyclically. Error if `captions` has none there.
std::string caption_of(const Dataset& captions, int64_t i);

}  // namespace uvic
