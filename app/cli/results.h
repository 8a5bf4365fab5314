// Results, on stdout: a line of JSON each for programs (--json), text for people.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace uvic {

using Fields = nlohmann::ordered_json;  // an object

bool as_json();

// The fields as JSON or, for people, the text, above a progress bar on the same terminal.
void print_result(const Fields& fields, const std::string& text);
void print_file(const std::filesystem::path& file);  // that was written

// Text for fields that have none of their own: names padded to one column, nested objects indented, '_' in the outer
// names as a space; without a last line break.
std::string to_text(const Fields& fields, int indent = 0);

}  // namespace uvic
