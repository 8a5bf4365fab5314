// MS-COCO with its captions, in the official layout.
#pragma once

#include <memory>

#include "datasets/dataset.h"

namespace uvic {

// coco:PATH, where PATH holds annotations/captions_{train,val}{2014,2017}.json and the image folders
// {train,val}{2014,2017}, or the official zip files that hold those, or is an archive of all that. split "test" is
// COCO's val; `?year=2014` chooses if both years are there. Images (size 64 unless given: centre crop, Lanczos) come in
// the order of their ids, each with its captions, of which COCO has five or more. A missing or corrupt image is left
// out with a warning and counted, or an Error if `strict`.
std::shared_ptr<const Dataset> open_coco(const Spec& spec, const CommonOptions& options);

}  // namespace uvic
