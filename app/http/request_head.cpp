#include "app/http/request_head.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "core/error.h"
#include "core/text.h"

namespace uvic {
namespace {

constexpr std::string_view kEndOfLine = "\r\n", kEndOfHead = "\r\n\r\n";
constexpr size_t kLongestLength = 18;  // digits

bool is_name(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](unsigned char c) {
    return std::isalnum(c) || kMarks.find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::string_view without_spaces(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? "" : text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

void expect_request_line(std::string_view line) {
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || line.find(' ', first + 1) != last ||
      !is_name(line.substr(0, first)) || line.find('\t') != std::string_view::npos)
    fail("the request does not begin with a method, an address and a version");
  const std::string_view version = line.substr(last + 1);
  if (version != "HTTP/1.1" && version != "HTTP/1.0") fail("the request is of another version than HTTP/1.1 and 1.0");
}

int64_t read_length(std::string_view text) {
  const bool is_number = !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
  if (!is_number || text.size() > kLongestLength) fail("Content-Length is no number of bytes");
  return std::stoll(std::string(text));
}

}  // namespace

size_t end_of_head(std::string_view bytes, size_t looked) {
  for (size_t i = looked; i < bytes.size(); ++i) {
    const auto c = static_cast<unsigned char>(bytes[i]);
    const bool is_behind_return = i > 0 && bytes[i - 1] == '\r';
    if (is_behind_return != (c == '\n')) fail("a line of the request does not end with CR LF");
    if ((c < ' ' && c != '\t' && c != '\r' && c != '\n') || c == '\x7f') fail("the request has a control character");
    if (c != '\n') continue;
    if (i == 1) fail("the request begins with an empty line");
    if (bytes.substr(0, i + 1).ends_with(kEndOfHead)) return i + 1;
  }
  return std::string_view::npos;
}

RequestHead read_request_head(std::string_view head) {
  const size_t end_of_first = head.find(kEndOfLine);
  const std::string_view first = head.substr(0, end_of_first);
  expect_request_line(first);
  RequestHead read;
  int hosts = 0, lengths = 0, encodings = 0;
  for (size_t at = end_of_first + kEndOfLine.size(); at < head.size();) {
    const size_t end = head.find(kEndOfLine, at);
    const std::string_view line = head.substr(at, end - at);
    at = end + kEndOfLine.size();
    if (line.empty()) break;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_name(line.substr(0, colon))) fail("a header is not NAME: VALUE");
    const std::string name = lower_case(line.substr(0, colon));
    const std::string_view value = without_spaces(line.substr(colon + 1));
    if (name == "host") {
      ++hosts;
    } else if (name == "content-length") {
      ++lengths;
      read.body_bytes = read_length(value);
    } else if (name == "transfer-encoding") {
      ++encodings;
      if (lower_case(value) != "chunked") fail("Transfer-Encoding is not chunked");
      read.is_chunked = true;
    }
  }
  const bool is_new = first.ends_with("1.1");
  if (hosts > 1 || (is_new && hosts == 0)) fail("expected one Host header");
  if (lengths + encodings > 1) fail("expected one Content-Length, or Transfer-Encoding: chunked");
  if (read.is_chunked && !is_new) fail("HTTP/1.0 has no Transfer-Encoding");
  return read;
}

}  // namespace uvic
