// The lists and dicts that a hostile pickle can nest a million deep, or put into themselves.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "core/pickle/pickle.h"

namespace uvic {

// The address of a list or dict, or null.
const void* container_of(const PickleValue& value);

// Keeps every list and dict that a pickle made. While it lives, freeing one frees no other, so deep nesting (freed by
// recursion otherwise) and cycles (never freed otherwise) do no harm.
class PickleContainers {
 public:
  PickleContainers() = default;
  PickleContainers(const PickleContainers&) = delete;
  PickleContainers& operator=(const PickleContainers&) = delete;
  ~PickleContainers();  // empties what was not released

  void add(const PickleValue& container) { all_.push_back(container); }
  size_t size() const { return all_.size(); }

  // Gives them up to their owners. Error, naming `file`, if one contains itself or is nested too deeply.
  void release(const std::string& file);

 private:
  void measure(const PickleValue& root, const std::string& file);

  std::vector<PickleValue> all_;
  std::unordered_map<const void*, int> depth_;  // 0 while a container's children are being measured
};

}  // namespace uvic
