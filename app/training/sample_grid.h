// The pictures that show how far a run has come.
#pragma once

#include "app/model/model.h"
#include "app/training/training_source.h"

namespace uvic {

// A grid [H, W, 3] uint8 of output.grid rows and columns, captions below the pictures of a model of text. Seeds and
// requests are the same every time, so that grids of different steps can be compared. NotFinite if a picture is not;
// Interrupted after Ctrl-C.
Tensor draw_sample_grid(const Model& model, const TrainingSource& source);

}  // namespace uvic
