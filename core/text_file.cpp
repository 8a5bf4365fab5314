#include "core/text_file.h"

#include "core/error.h"
#include "core/files.h"
#include "core/text.h"

namespace uvic {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";
constexpr size_t kShown = 80;  // characters of a faulty line

}  // namespace

std::string_view as_text(std::string_view bytes, const std::string& origin) {
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF"))
    fail("{} is UTF-16: save it as UTF-8, for example with iconv -f utf16 -t utf8", origin);
  if (bytes.find('\0') != std::string_view::npos) fail("{} is no text: it holds zero bytes; expected UTF-8", origin);
  if (bytes.starts_with(kMark)) bytes.remove_prefix(kMark.size());
  if (is_utf8(bytes)) return bytes;
  size_t begin = 0, number = 1;
  while (true) {
    const std::string_view line = bytes.substr(begin, bytes.find('\n', begin) - begin);
    if (!is_utf8(line))
      fail("{}, line {} is not UTF-8: \"{}\"; convert the file, from Latin-1 with iconv -f latin1 -t utf8", origin,
           number, shortened(visible(line), kShown));
    begin += line.size() + 1;
    ++number;
  }
}

std::string read_text(const fs::path& path, std::string_view what) {
  std::string bytes = read_file(path, what);
  const size_t mark = bytes.size() - as_text(bytes, fmt::format("the {} {}", what, path.string())).size();
  bytes.erase(0, mark);
  return bytes;
}

}  // namespace uvic
