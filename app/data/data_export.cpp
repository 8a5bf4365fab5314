#include "app/data/data_export.h"

#include <ATen/Parallel.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"

namespace uvic {
namespace {

constexpr int64_t kAtOnce = 256;

// A folder for each class, in the order of the ids.
std::vector<std::string> class_folders(const std::vector<std::string>& classes) {
  std::vector<std::string> folders;
  std::set<std::string> taken{"", "train", "test", "val"};  // which the reader would take for splits
  for (const std::string& name : classes) {
    std::string folder = name;
    for (char& c : folder)
      if (c == '/' || static_cast<unsigned char>(c) < 0x20) c = '-';
    if (folder.starts_with('.')) folder.front() = '-';  // hidden files are not read
    while (!taken.insert(folder).second) folder += fmt::format("-{}", folders.size());
    folders.push_back(std::move(folder));
  }
  return folders;
}

void make_folder(const fs::path& folder, bool force) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder)) fail("cannot make the folder '{}': {}", folder.string(), error.message());
  if (!force && !fs::is_empty(folder, error))
    fail("the folder '{}' is not empty: choose another one, or give --force to add to it", folder.string());
}

}  // namespace

void export_dataset(const Dataset& data, const fs::path& folder, bool force, const OnExported& on_exported) {
  make_folder(folder, force);
  const std::vector<std::string> classes = data.classes(), folders = class_folders(classes);
  for (const std::string& name : folders) make_folder(folder / name, /*force=*/true);
  const auto file_name = [&](int64_t i) {
    const int64_t label = data.label(i);
    return (label >= 0 && !folders.empty() ? folders.at(label) + "/" : "") + fmt::format("{:06}.png", i);
  };

  for (int64_t begin = 0; begin < data.size(); begin += kAtOnce) {
    const int64_t count = std::min(kAtOnce, data.size() - begin);
    std::vector<int64_t> indices(count);
    std::iota(indices.begin(), indices.end(), begin);
    const Tensor images = data.images(indices).permute({0, 2, 3, 1});
    at::parallel_for(0, count, 1, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) write_png(folder / file_name(begin + i), images[i].contiguous());
    });
    on_exported(begin + count);
  }

  write_atomically(folder / "metadata.jsonl", [&](std::ostream& out) {
    for (int64_t i = 0; i < data.size(); ++i) {
      nlohmann::ordered_json row{{"file_name", file_name(i)}};
      const std::vector<std::string> captions = data.captions(i);
      if (captions.size() == 1)
        row["text"] = captions.front();
      else if (!captions.empty())
        row["text"] = captions;
      if (const int64_t label = data.label(i); label >= 0 && !classes.empty()) {
        row["label"] = label;
        row["class"] = classes.at(label);
      }
      out << row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    }
  });
}

}  // namespace uvic
