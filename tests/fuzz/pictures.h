// Targets that read what stands beside pictures.
#pragma once

#include "core/image/image.h"
#include "datasets/dataset.h"
#include "tests/fuzz/fuzz.h"

namespace uvic::fuzz {

// Opens `folder` with pictures of those names, and asks for every caption.
inline void read_captions(const std::string& kind, std::initializer_list<const char*> names) {
  static const std::string picture = encode_png(at::zeros({2, 2, 3}, at::kByte));
  for (const char* name : names) put(name, picture);
  const auto data = open_dataset(kind + (folder() / "folder").string() + "?size=2");
  for (int64_t i = 0; i < data->size(); ++i) data->captions(i);
}

}  // namespace uvic::fuzz
