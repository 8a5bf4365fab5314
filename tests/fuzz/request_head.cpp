// The head of an HTTP request. Its end is the same wherever the bytes were broken off, and it has the name of its body.
#include "app/http/request_head.h"

#include "core/error.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const std::string_view text(bytes);
  const size_t end = end_of_head(text, 0);
  const size_t middle = text.size() / 2;
  size_t again = end_of_head(text.substr(0, middle), 0);
  if (again == std::string_view::npos) again = end_of_head(text, middle);
  TORCH_CHECK(again == end, "another end");
  if (end == std::string_view::npos) return;
  const RequestHead head = read_request_head(text.substr(0, end));
  TORCH_CHECK(head.body_bytes >= 0 && (!head.is_chunked || head.body_bytes == 0), "two lengths");
}
