// Case kind "data": decoding, cropping, resizing, CIFAR-10 records and the rounding of saved images.
#include <charconv>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "datasets/cifar10_batch.h"
#include "tests/parity/case.h"

namespace uvic::parity {
namespace {

constexpr double kFloatTolerance = 1e-6;

// The number in prefix + number + suffix; 0 if `text` is not of that form.
int64_t size_between(std::string_view text, std::string_view prefix, std::string_view suffix) {
  if (!text.starts_with(prefix) || !text.ends_with(suffix) || text.size() <= prefix.size() + suffix.size()) return 0;
  text.remove_prefix(prefix.size());
  text.remove_suffix(suffix.size());
  int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  return error == std::errc() && end == text.data() + text.size() ? size : 0;
}

Tensor to_chw(const Tensor& image) {
  return image.permute({2, 0, 1});
}

// Crops and resizes start from the reference's own pixels, so that they are judged apart from the decoder.
void compare_image(const Case& c, const std::string& file, Report& report) {
  const std::string prefix = "out." + file + ".";
  const Tensor pixels = c.at(prefix + "rgb_uint8_hwc");
  report.exact(file + " decoded", read_image(c.folder / "images" / file), pixels);
  for (const auto& [key, want] : c.tensors) {
    if (!key.starts_with(prefix)) continue;
    const std::string what = key.substr(prefix.size());
    if (what == "rgb_uint8_hwc") continue;
    if (const int64_t size = size_between(what, "mscoco_center_crop_", "_uint8_hwc"))
      report.exact(file + " " + what, center_crop_resize(pixels, size), want);
    else if (const int64_t size = size_between(what, "mscoco_tensor_", "_chw"))
      report.absmax(file + " " + what, to_float(to_chw(center_crop_resize(pixels, size))), want, kFloatTolerance);
    else if (const int64_t size = size_between(what, "imagenet_center_crop_arr_", "_uint8_hwc"))
      report.exact(file + " " + what, center_crop_adm(pixels, size), want);
    else
      fail("unknown tensor '{}'", key);
  }
}

// U-ViT's CelebA preprocessing: 128 x 128 pixels from row 57, column 25 on, then bilinear.
void compare_celeba(const Case& c, Report& report) {
  const std::string prefix = "out.celeba.jpg.";
  for (const auto& [key, want] : c.tensors) {
    if (!key.starts_with(prefix)) continue;
    const std::string what = key.substr(prefix.size());
    const Tensor face = read_image(c.folder / "images" / "celeba.jpg").narrow(0, 57, 128).narrow(1, 25, 128);
    if (const int64_t size = size_between(what, "crop_resize_", "_uint8_hwc"))
      report.exact("celeba " + what, resize_like_pillow(face, size, size, Filter::kBilinear), want);
    else if (const int64_t size = size_between(what, "tensor_", "_chw"))
      report.absmax("celeba " + what, to_float(to_chw(resize_like_pillow(face, size, size, Filter::kBilinear))), want,
                    kFloatTolerance);
    else
      fail("unknown tensor '{}'", key);
  }
}

void compare_cifar(const Case& c, Report& report) {
  const auto bytes_of = [&](const char* file) { return read_file(c.folder / "images" / file, "CIFAR-10 batch"); };
  const Cifar10Batch binary = read_cifar10_binary(bytes_of("cifar_like_batch.bin"), "cifar_like_batch.bin");
  const Cifar10Batch python = read_cifar10_python(bytes_of("cifar_like_batch_py"), "cifar_like_batch_py");
  for (const auto& [name, batch] : {std::pair("cifar binary", binary), std::pair("cifar python", python)}) {
    const Tensor x = to_float(batch.pixels), flipped = c.at("out.cifar.flipped_first4");
    report.absmax(name, x, c.at("out.cifar.tensor_chw"), kFloatTolerance);
    report.absmax(std::string(name) + " flipped", x.narrow(0, 0, flipped.size(0)).flip(-1), flipped, kFloatTolerance);
    report.exact(std::string(name) + " labels", batch.labels, c.at("out.cifar.labels"));
  }
}

}  // namespace

void data_case(const Case& c, Report& report) {
  for (const auto& file : c.config().at("images")) compare_image(c, file.get<std::string>(), report);
  compare_celeba(c, report);
  compare_cifar(c, report);
  const Tensor saved = to_uint8(c.at("out.save_image.in")).permute({0, 2, 3, 1});
  report.exact("saved image", saved, c.at("out.save_image.out_uint8_hwc"));
}

}  // namespace uvic::parity
