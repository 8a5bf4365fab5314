// Texts to learn from, plain and as JSON lines.
#include "datasets/text_documents.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  for (const char* name : {"a.txt", "a.jsonl"}) {
    try {
      for (const std::string& text : open_text(Spec::parse("text:" + put(name, bytes).string())).texts)
        TORCH_CHECK(!text.empty());
    } catch (const Error&) {
    }
  }
}
