// The head of an HTTP request.
#include "app/serve/request_head.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const size_t end = end_of_head(bytes, 0);
  if (end == std::string::npos) return;
  TORCH_CHECK(end <= bytes.size(), "the head ends behind what there is");
  const RequestHead head = read_request_head(bytes.substr(0, end));
  TORCH_CHECK(head.body_bytes >= 0, "a body of less than nothing");
}
