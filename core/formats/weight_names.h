// The names that wrappers of models and their averages leave in files of weights.
#pragma once

#include "core/formats/safetensors.h"

namespace uvic {

// Takes off what stands in front of every name: `module.` (DataParallel, AveragedModel), `_orig_mod.` (torch.compile),
// `model.`, `ema.`, `ema_model.`, in any nesting. Where some names are those of an average and others those of the
// model that it averages
// (`ema_model.` beside `online_model.`) the average is taken. Counters beside them are left out.
TensorMap without_wrappers(TensorMap tensors);

}  // namespace uvic
