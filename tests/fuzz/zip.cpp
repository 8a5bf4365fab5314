// A zip archive and all its entries.
#include "core/formats/zip.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const ZipReader zip(put("a.zip", bytes), "archive");
  for (const ZipEntry& entry : zip.entries()) {
    try {
      TORCH_CHECK(zip.read(entry).size == entry.size);
    } catch (const Error&) {
    }
  }
}
