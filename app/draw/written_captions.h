// Prompts that a language model writes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "app/model/language_model.h"

namespace uvic {

// One caption that begins so, on one line, of at most 64 tokens; the same for the same seed.
std::string write_caption(const LanguageModel& lm, const std::string& beginning, uint64_t seed);

// `count` captions for each beginning, or for none, by the language model at that path; of seeds 0, 1, ..., so that
// the same call gives the same captions. Interrupted after Ctrl-C.
std::vector<std::string> write_captions(const std::filesystem::path& language_model,
                                        const std::vector<std::string>& beginnings, int64_t count);

}  // namespace uvic
