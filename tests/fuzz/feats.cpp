// Features of images.
#include "eval/feats.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const FeatsFile file = read_feats(put("a.feats", bytes));
  look_at(file.activations.features);
  look_at(file.activations.logits);
  look_at(file.activations.spatial);
  look_at(file.keys);
}
