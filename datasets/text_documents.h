// Texts to learn from: text:FILE, plain or JSON lines, compressed with gzip or not.
#pragma once

#include <string>
#include <vector>

#include "datasets/spec.h"

namespace uvic {

struct TextDocuments {
  std::vector<std::string> texts;  // at least one, none of them empty, UTF-8
  std::string description;         // one line
};

// text:FILE?documents=line|paragraph|file (default line). A name that ends in .jsonl (.jsonl.gz) has a JSON object a
// line, whose "text" is a document. limit=N: the first N documents; last=N: the last N, but_last=N: all but these, of
// the file. Error, naming file and line, for what is no UTF-8 text, damaged, or holds no document.
TextDocuments open_text(const Spec& spec);

}  // namespace uvic
