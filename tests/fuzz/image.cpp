// Pictures of one format, or of none that is known.
#include "core/image/image.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  if (image_format(bytes) != UVIC_FUZZ_FORMAT) return;
  const Tensor image = decode_image(bytes, "picture");
  TORCH_CHECK(image.dim() == 3 && image.size(2) == 3 && image.scalar_type() == at::kByte && image.numel() > 0);
  look_at(image);
}
