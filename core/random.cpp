#include "core/random.h"

#include <ATen/CPUGeneratorImpl.h>

#include <bit>

namespace uvic {
namespace {

uint64_t splitmix64(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t hash_mix(std::initializer_list<uint64_t> values) {
  uint64_t hash = 0;
  for (const uint64_t value : values) hash = splitmix64(hash ^ splitmix64(value));
  return hash;
}

at::Generator make_generator(uint64_t seed, Stream stream, uint64_t step) {
  // The 0 tells nothing apart; without it a run begun before would go on with other numbers.
  return at::detail::createCPUGenerator(hash_mix({seed, static_cast<uint64_t>(stream), step, 0}));
}

at::Generator image_generator(uint64_t seed) {
  return at::detail::createCPUGenerator(seed);
}

uint64_t shuffled(uint64_t i, uint64_t n, uint64_t seed, uint64_t epoch) {
  TORCH_CHECK(i < n, "shuffled: position ", i, " of ", n);
  // A Feistel network permutes 0 .. 2^(2 half)-1; walking its cycle until the value falls below n permutes 0 .. n-1.
  const int half = std::max<int>(1, (std::bit_width(n - 1) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half) - 1;
  do {
    uint64_t left = i >> half, right = i & mask;
    for (uint64_t round = 0; round < 4; ++round) {
      const uint64_t mixed = left ^ (hash_mix({seed, epoch, round, right}) & mask);
      left = right;
      right = mixed;
    }
    i = left << half | right;
  } while (i >= n);
  return i;
}

}  // namespace uvic
