// uvic-fetch-file URL FILE FOLDER: what `uvic data fetch` does, for a URL whose content is known from FILE.
#include <cstdio>

#include "core/error.h"
#include "core/files.h"
#include "core/progress.h"
#include "datasets/fetch.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: uvic-fetch-file URL FILE FOLDER\n");
    return 2;
  }
  try {
    uvic::set_verbosity({.quiet = true});
    const std::string url = argv[1], sum = uvic::sha256_of_file(argv[2]);
    uvic::fetch_file({url, static_cast<int64_t>(uvic::fs::file_size(argv[2])), sum}, argv[3], "");
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
