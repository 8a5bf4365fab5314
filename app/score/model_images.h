// Images that a model draws to be scored.
#pragma once

#include "app/draw/pipeline.h"
#include "app/score/image_source.h"

namespace uvic {

// Image i is drawn from seed i, EMA weights, and the class or first caption of image i (cyclically) of `conditions`,
// which may be null for models that take none. `model` must outlive the result. Error if its pictures are no RGB.
std::unique_ptr<ImageSource> model_images(const Model& model, std::shared_ptr<const Dataset> conditions,
                                          const GenerateOptions& how);

// Where `count` images of the model take their conditions from: `other` (may be null) if it has what the model was
// trained with, else the model's own data, its test split if there is one. Null if the model takes none.
std::shared_ptr<const Dataset> conditions_for(const Model& model, std::shared_ptr<const Dataset> other, int64_t count);

}  // namespace uvic
