// The captions of MS-COCO beside one picture, 1.png.
#include "tests/fuzz/pictures.h"

FUZZ(bytes) {
  put("folder/annotations/captions_train2014.json", bytes);
  read_captions("coco:", {"folder/train2014/1.png"});
}
