// The head of a request: its line and its headers.
#pragma once

#include <cstdint>
#include <string_view>

namespace uvic {

// Where the head ends that the bytes begin with; npos: it has not come as a whole yet. The first `looked` bytes have
// been seen before. Error for bytes that no head has.
size_t end_of_head(std::string_view bytes, size_t looked);

// What it says of the body.
struct RequestHead {
  int64_t body_bytes = 0;
  bool is_chunked = false;  // then nobody knows how many before they have come
};

// Error unless there is one way to read it: where the library and a proxy before us could take two ends for that of the
// body, one of them would take a part of it for another request.
RequestHead read_request_head(std::string_view head);

}  // namespace uvic
