#include "core/pickle/pickle_containers.h"

#include <algorithm>

#include "core/error.h"

namespace uvic {
namespace {

constexpr int kMaxDepth = 256;

using ListPtr = std::shared_ptr<PickleList>;
using DictPtr = std::shared_ptr<PickleDict>;

size_t child_count(const PickleValue& value) {
  if (const auto* list = std::get_if<ListPtr>(&value.value)) return (*list)->size();
  return 2 * std::get<DictPtr>(value.value)->size();
}

const PickleValue& child(const PickleValue& value, size_t i) {
  if (const auto* list = std::get_if<ListPtr>(&value.value)) return (**list)[i];
  const auto& entry = (*std::get<DictPtr>(value.value))[i / 2];
  return i % 2 == 0 ? entry.first : entry.second;
}

}  // namespace

const void* container_of(const PickleValue& value) {
  if (const auto* list = std::get_if<ListPtr>(&value.value)) return list->get();
  if (const auto* dict = std::get_if<DictPtr>(&value.value)) return dict->get();
  return nullptr;
}

PickleContainers::~PickleContainers() {
  for (auto& value : all_) {
    if (auto* list = std::get_if<ListPtr>(&value.value)) PickleList().swap(**list);
    if (auto* dict = std::get_if<DictPtr>(&value.value)) PickleDict().swap(**dict);
  }
}

void PickleContainers::release(const std::string& file) {
  for (const auto& value : all_) measure(value, file);
  all_.clear();
}

// Depth-first, but with its own stack.
void PickleContainers::measure(const PickleValue& root, const std::string& file) {
  struct Visit {
    const PickleValue* value;
    size_t next = 0;
    int deepest = 0;
  };
  if (!depth_.try_emplace(container_of(root), 0).second) return;
  std::vector<Visit> path = {{&root}};
  while (!path.empty()) {
    Visit& visit = path.back();
    if (visit.next == child_count(*visit.value)) {
      const int depth = visit.deepest + 1;
      if (depth > kMaxDepth) fail("{}: the pickle nests values more than {} deep", file, kMaxDepth);
      depth_[container_of(*visit.value)] = depth;
      path.pop_back();
      continue;
    }
    const PickleValue& next = child(*visit.value, visit.next);
    if (const void* container = container_of(next)) {
      const auto [known, unknown] = depth_.try_emplace(container, 0);
      if (unknown) {
        path.push_back({&next});  // the parent looks at this child again when its depth is known
        continue;
      }
      if (known->second == 0) fail("{}: a value in the pickle contains itself", file);
      visit.deepest = std::max(visit.deepest, known->second);
    }
    ++visit.next;
  }
}

}  // namespace uvic
