// metadata.jsonl beside pictures.
#include "datasets/folder.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  put("pictures/metadata.jsonl", bytes);
  put("pictures/000000.png", "");
  put("pictures/cat/1.png", "");
  captions_beside(FileTree(folder() / "pictures"), {"000000.png", "cat/1.png"});
}
