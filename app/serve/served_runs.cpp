#include "app/serve/served_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/http/http_server.h"
#include "core/files.h"
#include "train/run_folder.h"

namespace uvic {

std::vector<fs::path> ServedRuns::all() const {
  std::vector<fs::path> runs;
  for (const fs::path& path : paths_) {
    if (RunFolder::is_run(path)) {
      runs.push_back(path);
    } else if (fs::is_directory(path)) {
      for (const auto& entry : fs::directory_iterator(path))
        if (RunFolder::is_run(entry.path())) runs.push_back(entry.path());
    }
  }
  std::ranges::sort(runs, {}, folder_name);
  return runs;
}

fs::path ServedRuns::find(const std::string& name) const {
  for (const fs::path& run : all())
    if (folder_name(run) == name) return run;
  throw HttpError{404, fmt::format("there is no run '{}'", name)};
}

}  // namespace uvic
