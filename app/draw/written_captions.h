// Prompts that a language model writes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace uvic {

// `count` captions for each beginning, or for none, by the language model at that path; of seeds 0, 1, ..., so that
// the same call gives the same captions. One line each, at most 64 tokens. Interrupted after Ctrl-C.
std::vector<std::string> write_captions(const std::filesystem::path& language_model,
                                        const std::vector<std::string>& beginnings, int64_t count);

}  // namespace uvic
