// The files in an archive.
#include "core/formats/archive.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  size_t sum = 0;
  for_each_in_archive(
      put(std::string("a.") + UVIC_FUZZ_FORMAT, bytes), [](std::string_view name) { return !name.empty(); },
      [&](std::string_view name, std::string_view content) { sum += name.size() + content.size(); });
}
