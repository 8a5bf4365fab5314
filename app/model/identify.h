// What a path is, for every command that takes more than one kind of thing.
#pragma once

#include <filesystem>

namespace uvic {

enum class PathKind {
  kMissing,
  kRun,         // a training run's folder
  kCheckpoint,  // a folder with the state of one step, of ours or of U-ViT
  kBundle,      // a folder with a model and its encoders
  kFolder,      // any other
  kWeights,     // .safetensors or .pth
  kStatistics,  // .npz with mu and sigma
  kImageArray,  // .npz with arr_0
  kArrays,      // any other .npz
  kFeatures,    // .feats
  kPicture,     // of a format that decode_image reads
  kArchive,     // .tar, .tar.gz, .tgz, .zip
  kUnknown,
};

// By content where the content tells; archives and .feats files, which are zips and safetensors like others, by name.
// Error if the file cannot be read, or is a damaged .npz.
PathKind identify(const std::filesystem::path& path);

// The files that hold a checkpoint's averaged weights: ours, and U-ViT's.
inline constexpr const char* kAveragedWeights[] = {"model_ema.safetensors", "nnet_ema.pth"};

}  // namespace uvic
