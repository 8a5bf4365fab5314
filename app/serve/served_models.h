// The models that a server draws with: known from the start, loaded when they are first used, as many as memory holds.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/model/model_argument.h"

namespace uvic {

struct ServedModel {
  std::string name;
  std::filesystem::path path;  // as it was given
  ModelCard card;
  std::string hash;
  int64_t parameters = 0, bytes = 0;  // bytes: of its files
  int64_t picture_size = 0;           // pixels
};

class ServedModels {
 public:
  // Of each path a model, or all models in a folder of them; names are made unique. Error naming a path that holds
  // none.
  ServedModels(const ModelArgument& argument, const std::vector<std::filesystem::path>& paths, int64_t memory);

  std::vector<ServedModel> all();
  // By name or by the hash; "": the first. Error listing the names.
  ServedModel find(const std::string& name);
  bool is_loaded(const std::string& name) const;

  // To be called by one thread, until whose next call the model stays: the model of that name that multiplies in that
  // precision. Others that were not used for longest leave while all together take more than the memory. A file that
  // was replaced since is read again.
  Model& use(const std::string& name, const std::string& precision);

 private:
  struct Loaded {
    std::unique_ptr<Model> model;
    std::string stamp;  // of the file
    int64_t bytes = 0, used = 0;
  };
  ServedModel examine(const std::filesystem::path& path) const;
  void add(ServedModel served);
  bool add_folder(const std::filesystem::path& folder);
  void add_begun_runs();
  void make_room(int64_t bytes);

  const ModelArgument& argument_;
  int64_t memory_, uses_ = 0;
  mutable std::mutex mutex_;  // of what follows
  std::vector<ServedModel> models_;
  std::vector<std::filesystem::path> begun_runs_;                 // without a checkpoint
  std::map<std::pair<std::string, std::string>, Loaded> loaded_;  // by name and precision
};

}  // namespace uvic
