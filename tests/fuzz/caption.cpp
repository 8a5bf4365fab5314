// A text of captions beside its picture.
#include "tests/fuzz/pictures.h"

FUZZ(bytes) {
  put("folder/1.txt", bytes);
  read_captions("folder:", {"folder/1.png"});
}
