#include "core/formats/gzip.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  constexpr size_t kLimit = 1 << 20;
  TORCH_CHECK(read_gzip(put("a.gz", bytes), "file", kLimit).size() <= kLimit);
}
