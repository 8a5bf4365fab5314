#include "core/formats/npz.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  look_at(read_npz(put("a.npz", bytes)));
}
