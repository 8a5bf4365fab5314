// Which weights a run begins with.
#pragma once

#include <string>

namespace uvic {

struct InitConfig {
  std::string file;   // a model's; "": drawn ones
  std::string allow;  // where network and file differ: "new", "missing", "new,missing"; "": nowhere
};

// What of a network that begins with a file's weights may be otherwise than in the file.
struct Allowed {
  bool fresh = false;    // "new": parameters that the file lacks keep what was drawn for them
  bool missing = false;  // tensors that the network has no place for are left out
};
// Error for other words.
Allowed parse_allowed(const std::string& text);

}  // namespace uvic
