// The files of the page, which are part of the program.
#pragma once

#include <span>
#include <string_view>

namespace uvic {

struct PageFile {
  std::string_view name, text;
};
std::span<const PageFile> page_files();

}  // namespace uvic
