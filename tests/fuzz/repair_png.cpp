// A mutator that writes the right check sum behind every chunk of a PNG, so that damage gets past the sums.
#include <zlib.h>

#include <cstddef>
#include <cstdint>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

constexpr size_t kSignature = 8, kHead = 8, kSum = 4;

uint32_t big_endian(const uint8_t* bytes) {
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 == 0) return size;  // some sums stay wrong
  for (size_t at = kSignature; at + kHead + kSum <= size;) {
    const size_t length = big_endian(data + at);
    if (length > size - at - kHead - kSum) break;
    const auto sum = static_cast<uint32_t>(crc32(0, data + at + 4, static_cast<uInt>(length + 4)));
    uint8_t* place = data + at + kHead + length;
    for (int i = 0; i < 4; ++i) place[i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
    at += kHead + length + kSum;
  }
  return size;
}
