// A data set written out as numbered PNG files that `folder:DIR` reads back.
#pragma once

#include <filesystem>
#include <functional>

#include "datasets/dataset.h"

namespace uvic {

// Called after some images with how many are done; may throw to stop: metadata.jsonl is then missing.
using OnExported = std::function<void(int64_t done)>;

// Writes folder/000000.png, or folder/CLASS/000000.png if the data has classes, and then metadata.jsonl with one line
// an image: file_name, text (a string, or a list if there are several captions), label (class id) and class. The number
// of an image is its index in `data`. Error if the folder holds anything, unless `force`: files of the same name are
// then replaced.
void export_dataset(const Dataset& data, const std::filesystem::path& folder, bool force,
                    const OnExported& on_exported);

}  // namespace uvic
