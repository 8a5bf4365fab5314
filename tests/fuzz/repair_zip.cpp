// A mutator that writes the right check sum into the directory of a zip for entries that are not packed, so that damage
// gets past the sums.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

template <class T>
T number(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Both kinds of header have the sum at the same distance from the sizes.
constexpr size_t kLocalHead = 30, kLocalSum = 14, kHead = 46, kMethod = 10, kHeadSum = 16, kSize = 20, kPlace = 42;

void repair(uint8_t* data, size_t size, uint8_t* head) {
  const size_t place = number<uint32_t>(head + kPlace), length = number<uint32_t>(head + kSize);
  if (number<uint16_t>(head + kMethod) != 0 || place > size || size - place < kLocalHead) return;
  uint8_t* local = data + place;
  const size_t begin = place + kLocalHead + number<uint16_t>(local + 26) + number<uint16_t>(local + 28);
  if (begin > size || length > size - begin) return;
  const auto sum = static_cast<uint32_t>(crc32(0, data + begin, static_cast<uInt>(length)));
  std::memcpy(head + kHeadSum, &sum, sizeof sum);
  std::memcpy(local + kLocalSum, &sum, sizeof sum);
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) return size;  // some sums stay wrong
  for (size_t at = 0; at + kHead <= size; ++at)
    if (std::memcmp(data + at, "PK\1\2", 4) == 0) repair(data, size, data + at);
  return size;
}
