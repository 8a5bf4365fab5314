#include "datasets/dataset.h"

#include <algorithm>

#include "datasets/cifar10.h"
#include "datasets/coco_captions.h"
#include "datasets/folder.h"
#include "datasets/latents.h"
#include "datasets/shapes.h"

namespace uvic {
namespace {

constexpr Entry<OpenDataset> kKinds[] = {
    {"shapes", open_shapes,
     "drawn scenes of coloured shapes with captions, no files needed (options seed, count, figures, colour, every)"},
    {"cifar10", open_cifar10,
     "CIFAR-10: binary or Python archive, as a folder or .tar.gz, or train/<class>/*.png in a folder or .tar"},
    {"folder", open_folder,
     "pictures in a folder or archive, classes by sub-folder, captions from metadata.jsonl or .txt"},
    {"coco", open_coco,
     "MS-COCO with captions: annotations/ beside train2014/, val2014/ or the official .zip (option year)"},
    {"latents", open_latents,
     "latents and text states for training: a folder that `uvic encode` wrote, or features of U-ViT"},
};

}  // namespace

int64_t Dataset::skipped() const {
  int64_t count = 0;
  for (const LeftOut::Kind& kind : left_out()) count += kind.count;
  return count;
}

std::span<const Entry<OpenDataset>> dataset_kinds() {
  return kKinds;
}

bool names_dataset(const std::string& text) {
  const std::string kind = text.substr(0, text.find_first_of(":?"));
  return std::ranges::any_of(kKinds, [&](const auto& entry) { return entry.name == kind; });
}

std::shared_ptr<const Dataset> open_dataset(const Spec& spec) {
  return find(dataset_kinds(), spec.kind, "kind of data").value(spec, CommonOptions::of(spec));
}

std::shared_ptr<const Dataset> open_dataset(const std::string& spec) {
  return open_dataset(Spec::parse(spec));
}

}  // namespace uvic
