#include "core/formats/npz.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  look_at(read_npy(put("a.npy", bytes)));
}
