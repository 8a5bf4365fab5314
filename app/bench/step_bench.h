// How long a training step and drawing take, with random weights and pictures.
#pragma once

#include <string>
#include <vector>

#include "bench/profile.h"
#include "diffusion/sampler.h"
#include "unet_vit/config.h"

namespace uvic {

// Of the blocks between the first and the last, a row of attention_kinds(); of patch_memories(), kernel_kinds(),
// precisions().
struct StepVariant {
  std::string attention, memory, kernels, precision;
};

struct StepTiming {
  std::string attention, memory, kernels, precision;  // as of its variant
  double min_ms, median_ms;
  double gflops;    // of the network's matrix products, by the minimum
  double peak_mib;  // memory of the whole process
};

// A training step of `batch` images (forward, backward, optimizer, EMA), for each variant of `config` in turn.
std::vector<StepTiming> bench_training(const UVitConfig& config, const std::vector<StepVariant>& variants,
                                       int64_t batch, int64_t rounds);

// Where such a step spends its time, after one that is not measured.
std::vector<OperationTime> profile_training(const UVitConfig& config, const StepVariant& variant, int64_t batch);

// `images` images from noise, without guidance.
std::vector<StepTiming> bench_sampling(const UVitConfig& config, const std::vector<StepVariant>& variants,
                                       int64_t images, const SamplerConfig& sampler, int64_t rounds);

// Floating-point operations of the matrix products of one network call on one image.
double forward_flop(const UVitConfig& config);

}  // namespace uvic
