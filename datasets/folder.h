// Images of any size in a folder or archive, with captions beside them and classes from sub-folders.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "datasets/dataset.h"
#include "datasets/file_tree.h"

namespace uvic {

// folder:PATH, where PATH is a folder or a .tar, .tar.gz or .zip; images may be nested, hidden files are ignored.
// - Split: if PATH holds train/ and test/ (or val/), `split` chooses one; otherwise everything is the train split.
// - Classes: the first folder below, sorted by name, if every image lies in one and there are at least two.
// - Captions: captions_beside.
// - Size: `size`, by centre crop and Lanczos; without it the images must all be square and of one size.
// Order: sorted by path. Corrupt images are left out with a warning and counted, or an Error if `strict`.
std::shared_ptr<const Dataset> open_folder(const Spec& spec, const CommonOptions& options);

// Captions of those images in `files` that have some, by name: from metadata.jsonl ({"file_name": ..., "text" or, if
// there is none, "caption": a string or a list of them}), else from NAME.txt beside NAME.png, one caption a line.
// Counts lines and texts that belong to no picture. Error for what is not UTF-8.
std::unordered_map<std::string, std::vector<std::string>> captions_beside(const FileTree& files,
                                                                          const std::vector<std::string>& images,
                                                                          LeftOut& left_out);

}  // namespace uvic
