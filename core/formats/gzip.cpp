#include "core/formats/gzip.h"

#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "core/error.h"

namespace uvic {

std::string read_gzip(const std::filesystem::path& path, std::string_view what, size_t limit) {
  constexpr size_t kPiece = 1 << 16;
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) fail("cannot open the {} {}: {}", what, path.string(), std::strerror(errno));
  std::string bytes;
  while (true) {
    const size_t used = bytes.size();
    bytes.resize(used + kPiece);
    const int got = gzread(file.get(), bytes.data() + used, kPiece);
    int code = Z_OK;
    const char* problem = gzerror(file.get(), &code);
    if (got < 0 || code != Z_OK) fail("cannot read the {} {}: {}", what, path.string(), problem);
    bytes.resize(used + static_cast<size_t>(got));
    if (bytes.size() > limit) fail("the {} {} unpacks to more than {} bytes", what, path.string(), limit);
    if (got == 0) return bytes;
  }
}

}  // namespace uvic
