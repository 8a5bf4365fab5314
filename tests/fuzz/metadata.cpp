// metadata.jsonl beside pictures.
#include "tests/fuzz/pictures.h"

FUZZ(bytes) {
  put("folder/metadata.jsonl", bytes);
  read_captions("folder:", {"folder/000000.png", "folder/cat/1.png"});
}
