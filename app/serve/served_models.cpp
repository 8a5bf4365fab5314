#include "app/serve/served_models.h"

#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>

#include "app/model/bundle.h"
#include "app/model/identify.h"
#include "app/model/model_weights.h"
#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "core/text.h"
#include "train/run_folder.h"

namespace uvic {
namespace {

constexpr size_t kShownOfName = 80;  // characters

// Another file of the same name has another one.
std::string stamp_of(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return "";
  return fmt::format("{} {} {} {}.{}", file.string(), status.st_ino, status.st_size, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

int64_t bytes_of(const fs::path& path, const fs::path& file) {
  if (!is_bundle(path)) return static_cast<int64_t>(fs::file_size(file));
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  return bytes;
}

}  // namespace

ServedModel ServedModels::examine(const fs::path& path) const {
  const ModelWeights weights = read_model_weights(path);
  ServedModel served{.name = model_name(path, weights.file),
                     .path = path,
                     .card = {},
                     .hash = weights.sha256.substr(0, kShortHash),
                     .bytes = bytes_of(path, weights.file)};
  if (weights.card && weights.card->config.data.latent_scale == 0) {
    served.card = *weights.card;
    served.parameters = parameter_count(resolve(served.card.config.model));
    served.picture_size = served.card.config.model.image_size;
  } else {  // the flags, or its autoencoder, tell what it is
    const Model model = argument_.load(path);
    served.card = model.card;
    served.parameters = parameter_count(resolve(model.card.config.model));
    served.picture_size = uvic::picture_size(model);
  }
  return served;
}

ServedModels::ServedModels(const ModelArgument& argument, const std::vector<fs::path>& paths, int64_t memory)
    : argument_(argument), memory_(memory) {
  for (const fs::path& path : paths) {
    const PathKind kind = identify(path);
    if (kind == PathKind::kRun && !RunFolder::open(path).has_checkpoint())
      begun_runs_.push_back(path);
    else if (kind != PathKind::kFolder)
      add(examine(path));
    else if (!add_folder(path))
      fail("{} holds no model that could be served, and no run", path.string());
  }
}

void ServedModels::add(ServedModel served) {
  const std::string name = served.name;
  const auto is_taken = [&] {
    return std::ranges::any_of(models_, [&](const ServedModel& other) { return other.name == served.name; });
  };
  for (int i = 2; is_taken(); ++i) served.name = fmt::format("{}-{}", name, i);
  models_.push_back(std::move(served));
}

// Whether there is anything in it.
bool ServedModels::add_folder(const fs::path& folder) {
  const size_t before = models_.size() + begun_runs_.size();
  std::vector<fs::path> inside;
  for (const auto& entry : fs::directory_iterator(folder)) inside.push_back(entry.path());
  std::ranges::sort(inside);
  for (const fs::path& each : inside) {
    const PathKind kind = identify(each);
    if (kind == PathKind::kRun && !RunFolder::open(each).has_checkpoint()) {
      begun_runs_.push_back(each);
    } else if (kind == PathKind::kRun || kind == PathKind::kWeights || kind == PathKind::kBundle) {
      try {
        add(examine(each));
      } catch (const Error& error) {
        log_line(fmt::format("not served: {}", error.what()));
      }
    }
  }
  return models_.size() + begun_runs_.size() > before;
}

void ServedModels::add_begun_runs() {
  std::erase_if(begun_runs_, [&](const fs::path& run) {
    if (!RunFolder::open(run).has_checkpoint()) return false;
    try {
      add(examine(run));
    } catch (const Error& error) {
      log_line(fmt::format("not served: {}", error.what()));
    }
    return true;
  });
}

std::vector<ServedModel> ServedModels::all() {
  const std::scoped_lock lock(mutex_);
  add_begun_runs();
  return models_;
}

ServedModel ServedModels::find(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  add_begun_runs();
  std::vector<std::string> names;
  for (const ServedModel& model : models_) {
    if (name.empty() || name == model.name || name == model.hash) return model;
    names.push_back(model.name);
  }
  if (names.empty()) fail("there is no model yet: a run has one when it has saved its first checkpoint");
  fail("there is no model '{}': expected one of {}", shortened(name, kShownOfName), fmt::join(names, ", "));
}

bool ServedModels::is_loaded(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(loaded_, [&](const auto& entry) { return entry.first.first == name; });
}

// Lets the models go that were not used for longest, until the one to come fits beside the others.
void ServedModels::make_room(int64_t bytes) {
  while (!loaded_.empty()) {
    int64_t taken = bytes;
    for (const auto& entry : loaded_) taken += entry.second.bytes;
    if (taken <= memory_) return;
    const auto oldest =
        std::ranges::min_element(loaded_, [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
    log_line(fmt::format("{} leaves memory", oldest->first.first));
    loaded_.erase(oldest);
  }
}

Model& ServedModels::use(const std::string& name, const std::string& precision) {
  const ServedModel served = find(name);
  const std::pair key{served.name, precision};
  const std::string stamp = stamp_of(find_model_file(served.path));
  {
    const std::scoped_lock lock(mutex_);
    const auto found = loaded_.find(key);
    if (found != loaded_.end() && found->second.stamp == stamp) {
      found->second.used = ++uses_;
      return *found->second.model;
    }
    if (found != loaded_.end()) {
      log_line(fmt::format("{} was replaced: it is read again", served.name));
      loaded_.erase(found);
    }
    make_room(served.bytes);
  }
  auto model = std::make_unique<Model>(argument_.load(served.path));
  const std::scoped_lock lock(mutex_);
  for (ServedModel& known : models_) {
    if (known.name != served.name) continue;
    known.card = model->card;
    known.hash = model->hash;
    known.picture_size = uvic::picture_size(*model);
  }
  Loaded& loaded = loaded_[key];
  loaded = {std::move(model), stamp, served.bytes, ++uses_};
  return *loaded.model;
}

}  // namespace uvic
