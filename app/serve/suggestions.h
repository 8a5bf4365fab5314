// Prompts for those who have none in mind.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "app/model/language_model.h"
#include "app/model/model.h"
#include "datasets/dataset.h"

namespace uvic {

class Suggestions {
 public:
  // Captions of a data SPEC, or those that a language model writes; "": none of them. A model that was trained on
  // procedural shapes has captions without either: they open no file that a model's file could name.
  Suggestions(const std::string& spec, const std::string& language_model);

  struct Suggestion {
    std::string prompt, label;  // one of them
  };
  bool has_any(const ModelCard& card) const;
  // Another one each time; none if there are none.
  std::optional<Suggestion> next(const ModelCard& card);

 private:
  std::shared_ptr<const Dataset> data_;
  std::optional<LanguageModel> language_model_;
  std::mutex mutex_;
};

}  // namespace uvic
