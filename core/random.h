// Randomness as a pure function of named integers: no generator lives from one step to the next, so nothing about it
// needs to be saved.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "core/tensor.h"

namespace uvic {

// What a stream of random numbers is for; keeps streams of equal (seed, step) apart.
enum class Stream : uint64_t {
  kInit = 1,
  kOrder,
  kFlip,
  kCaption,
  kNoise,
  kDropout,
  kScene,
  kLatent,
  kAdapters,
  kStatePassing
};

// splitmix64 over the values.
uint64_t hash_mix(std::initializer_list<uint64_t> values);

// 64 random bits as a number in [0, 1), a multiple of 2^-53.
inline double unit_interval(uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// A CPU generator (mt19937) whose state depends on the arguments alone.
at::Generator make_generator(uint64_t seed, Stream stream, uint64_t step = 0);

// The generator of the image with this seed: torch.Generator().manual_seed(seed), so PyTorch users get the same noise.
at::Generator image_generator(uint64_t seed);

// Where item `i` of 0..n-1 lies in the shuffled order of this epoch: a keyed permutation (Feistel network with cycle
// walking), so any position of any epoch is found without storing or computing the others.
uint64_t shuffled(uint64_t i, uint64_t n, uint64_t seed, uint64_t epoch);

}  // namespace uvic
