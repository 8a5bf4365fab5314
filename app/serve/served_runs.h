// The training runs that a server shows: those that it was given, and those in folders.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace uvic {

class ServedRuns {
 public:
  explicit ServedRuns(std::vector<std::filesystem::path> paths) : paths_(std::move(paths)) {}

  // Looked for anew each time: a run may have begun meanwhile.
  std::vector<std::filesystem::path> all() const;
  // By the folder's name. HttpError 404 if there is none.
  std::filesystem::path find(const std::string& name) const;

 private:
  std::vector<std::filesystem::path> paths_;
};

}  // namespace uvic
