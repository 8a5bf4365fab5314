// The captions of MS-COCO beside one picture, 1.png.
#include "core/image.h"
#include "datasets/dataset.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  put("coco/annotations/captions_train2014.json", bytes);
  static const std::string picture = encode_png(at::zeros({2, 2, 3}, at::kByte));
  put("coco/train2014/1.png", picture);
  const auto data = open_dataset("coco:" + (folder() / "coco").string() + "?size=2");
  for (int64_t i = 0; i < data->size(); ++i) data->captions(i);
}
