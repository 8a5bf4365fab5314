#include "core/writable.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "core/error.h"

namespace uvic {

void expect_writable(const std::filesystem::path& folder) {
  const std::filesystem::path where = folder.empty() ? "." : folder;
  std::error_code error;
  std::filesystem::create_directories(where, error);
  if (error) fail("cannot create the folder {}: {}", where.string(), error.message());
  // Permissions do not tell all, so a file without a name is tried, or a named one where the file system lacks those.
  int file = ::open(where.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
    std::string name = (where / ".uvic-XXXXXX").string();
    file = ::mkstemp(name.data());
    if (file >= 0) ::unlink(name.c_str());
  }
  if (file < 0) fail("cannot write into the folder {}: {}", where.string(), std::strerror(errno));
  ::close(file);
}

}  // namespace uvic
