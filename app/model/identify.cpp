#include "app/model/identify.h"

#include <algorithm>

#include "app/model/bundle.h"
#include "core/files.h"
#include "core/formats/archive.h"
#include "core/formats/zip.h"
#include "core/image/image.h"
#include "train/run_folder.h"

namespace uvic {
namespace {

PathKind identify_folder(const fs::path& folder) {
  if (RunFolder::is_run(folder)) return PathKind::kRun;
  if (is_bundle(folder)) return PathKind::kBundle;
  const auto has = [&](const char* name) { return fs::exists(folder / name); };
  return has("state.json") || std::ranges::any_of(kAveragedWeights, has) ? PathKind::kCheckpoint : PathKind::kFolder;
}

PathKind identify_npz(const fs::path& npz) {
  const ZipReader zip(npz, ".npz file");
  const auto has = [&](const char* name) { return zip.find(name) != nullptr; };
  if (has("mu.npy")) return has("sigma.npy") ? PathKind::kStatistics : PathKind::kArrays;
  return has("arr_0.npy") ? PathKind::kImageArray : PathKind::kArrays;
}

}  // namespace

PathKind identify(const fs::path& path) {
  if (!fs::exists(path)) return PathKind::kMissing;
  if (fs::is_directory(path)) return identify_folder(path);
  if (is_archive(path)) return PathKind::kArchive;
  if (lower_extension(path) == ".feats") return PathKind::kFeatures;
  if (lower_extension(path) == ".npz") return identify_npz(path);
  const MappedFile file = map_file(path, "file");
  const std::string_view bytes = file.bytes();
  if (!image_format(bytes.substr(0, 16)).empty()) return PathKind::kPicture;
  const bool is_pth = bytes.starts_with("PK") || bytes.starts_with("\x80");  // a zip of pickles, or one pickle
  const bool is_safetensors = bytes.size() > 8 && bytes[8] == '{';
  return is_pth || is_safetensors ? PathKind::kWeights : PathKind::kUnknown;
}

}  // namespace uvic
