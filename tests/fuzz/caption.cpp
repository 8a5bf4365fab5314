// A text of captions beside its picture.
#include "datasets/folder.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  put("pictures/1.txt", bytes);
  put("pictures/1.png", "");
  captions_beside(FileTree(folder() / "pictures"), {"1.png"});
}
