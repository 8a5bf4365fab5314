// A U-ViT as a reference case describes it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/parity/case.h"
#include "unet_vit/uvit.h"

namespace uvic::parity {

// `model`: the original's constructor arguments; family: uvit, uvit_t2i, uvic_uncond, uvic_t2i.
UVitConfig uvit_config(const nlohmann::json& model, const std::string& family);
UVit load_uvit(const UVitConfig& config, const TensorMap& weights);
// Norm, product with the parameter and, where the case has them, all numbers of each parameter's gradient.
void compare_gradients(const Parameters& parameters, const Case& reference, Report& report);
Condition condition_of(const Case& reference);  // in.y and in.context, where the case has them

}  // namespace uvic::parity
