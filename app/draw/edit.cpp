#include "app/draw/edit.h"

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "core/one_by_one.h"

namespace uvic {
namespace {

constexpr size_t kHashDigits = 10;
constexpr int64_t kBright = 128;

}  // namespace

Edit read_edit(const fs::path& image, const fs::path& mask, int64_t size) {
  return make_edit({read_file(image, "image"), image.string()},
                   mask.empty() ? PictureFile() : PictureFile{read_file(mask, "image"), mask.string()}, size);
}

Edit make_edit(const PictureFile& image, const PictureFile& mask, int64_t size) {
  const Tensor picture = decode_upright_image(image.bytes, image.name);
  Edit edit{.image = center_crop_resize(picture, size),
            .repaint = {},
            .image_hash = sha256_of_bytes(image.bytes).substr(0, kHashDigits),
            .mask_hash = ""};
  if (mask.name.empty()) return edit;
  const Tensor bright = decode_upright_image(mask.bytes, mask.name, Alpha::kOverBlack);
  if (bright.sizes() != picture.sizes())
    fail("the mask {} is {} x {} pixels, {} is {} x {}: they must have the same size", mask.name, bright.size(1),
         bright.size(0), image.name, picture.size(1), picture.size(0));
  edit.repaint = center_crop_resize(bright, size).amax(2) >= kBright;
  edit.mask_hash = sha256_of_bytes(mask.bytes).substr(0, kHashDigits);
  if (!edit.repaint.any().item<bool>())
    fail("the mask {} is dark everywhere: what is to be drawn anew must be white, and not transparent", mask.name);
  return edit;
}

double default_strength(const Edit& edit) {
  return edit.repaint.defined() ? 1 : 0.6;
}

EditStart start_of(const Model& model, const Edit& edit) {
  const at::NoGradGuard no_grad;
  const Tensor pixels = to_float(edit.image.permute({2, 0, 1}).unsqueeze(0)).to(model.device);
  EditStart start{.x0 = pixels, .known = {}};
  if (model.autoencoder)
    start.x0 = each_apart(model.device, 1, [&](int64_t) { return model.autoencoder->encode(pixels); }).chunk(2, 1)[0] *
               model.latent_scale;
  if (!edit.repaint.defined()) return start;
  const int64_t factor = edit.image.size(0) / start.x0.size(2);
  const Tensor repaint = edit.repaint.to(at::kFloat).view({1, 1, edit.image.size(0), edit.image.size(1)});
  start.known = (at::max_pool2d(repaint, {factor, factor}) == 0).to(model.device);
  return start;
}

}  // namespace uvic
