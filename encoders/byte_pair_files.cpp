// The files byte-level vocabularies come in.
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/gzip.h"
#include "core/formats/json_file.h"
#include "core/text_file.h"
#include "encoders/byte_letters.h"
#include "encoders/byte_pairs.h"

namespace uvic {
namespace {

using nlohmann::json;

constexpr const char *kVocabulary = "vocab.json", *kMerges = "merges.txt", *kTokenizerJson = "tokenizer.json",
                     *kOpenAi = "bpe_simple_vocab_16e6.txt.gz";
// The file of OpenAI has more merges than CLIP uses.
constexpr size_t kClipMerges = 48894, kMaxOpenAiBytes = 64 << 20;

std::pair<std::string, std::string> split_pair(const std::string& line, const std::string& file) {
  const size_t space = line.find(' ');
  if (space == std::string::npos || space == 0 || space + 1 == line.size() || line.find(' ', space + 1) != line.npos)
    fail("{}: '{}' is no merge; expected two tokens with a space between", file, line);
  return {line.substr(0, space), line.substr(space + 1)};
}

// Lines after the header "#version ...", at most `limit`.
void read_merges(const std::string& text, const std::string& file, size_t limit, BytePairs& pairs) {
  std::istringstream lines(text);
  for (std::string line; pairs.merges.size() < limit && std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty() && !line.starts_with("#version") && !line.starts_with("\"bpe_simple_vocab"))
      pairs.merges.push_back(split_pair(line, file));
  }
}

BytePairs read_two_files(const fs::path& folder) {
  BytePairs pairs;
  const fs::path vocabulary = folder / kVocabulary, merges = folder / kMerges;
  pairs.vocabulary = read_token_ids(read_json(vocabulary, "vocabulary"), vocabulary.string());
  read_merges(read_text(merges, "merges"), merges.string(), -1, pairs);
  return pairs;
}

BytePairs read_tokenizer_json(const fs::path& file) {
  const std::string name = file.string();
  const json root = read_json(file, "tokenizer");
  const json model = root.is_object() ? root.value("model", json::object()) : json::object();
  if (!model.is_object() || model.value("type", json("BPE")) != json("BPE") ||
      model.value("end_of_word_suffix", json()) != json(kEndOfWord) || !model.contains("vocab") ||
      !model.contains("merges") || !model["merges"].is_array())
    fail("{} is not the tokenizer of a CLIP: expected a model of type BPE with end_of_word_suffix '{}'", name,
         kEndOfWord);
  BytePairs pairs;
  pairs.vocabulary = read_token_ids(model["vocab"], name);
  for (const json& merge : model["merges"]) {
    if (merge.is_string())
      pairs.merges.push_back(split_pair(merge, name));
    else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
      pairs.merges.emplace_back(merge[0], merge[1]);
    else
      fail("{}: {} is no merge; expected two tokens", name, merge.dump());
  }
  return pairs;
}

// The ids follow from the order: the bytes, the bytes at the end of a word, the merges, the two special tokens.
BytePairs read_openai(const fs::path& file) {
  BytePairs pairs;
  read_merges(std::string(as_text(read_gzip(file, "merges", kMaxOpenAiBytes), file.string())), file.string(),
              kClipMerges, pairs);
  if (pairs.merges.size() < kClipMerges)
    fail("{} has only {} merges, CLIP needs {}", file.string(), pairs.merges.size(), kClipMerges);
  const auto add = [&](const std::string& token) {
    pairs.vocabulary.emplace(token, static_cast<int64_t>(pairs.vocabulary.size()));
  };
  for (const std::string_view suffix : {std::string_view(), kEndOfWord})
    for (const unsigned char byte : bytes_in_order()) add(byte_letters()[byte] + std::string(suffix));
  for (const auto& [left, right] : pairs.merges) add(left + right);
  add("<|startoftext|>");
  add("<|endoftext|>");
  return pairs;
}

BytePairs read_any(const fs::path& path) {
  if (!fs::is_directory(path)) {
    const std::string name = path.filename().string();
    if (name == kTokenizerJson) return read_tokenizer_json(path);
    if (name == kVocabulary || name == kMerges) return read_two_files(path.parent_path());
    return read_openai(path);
  }
  if (fs::exists(path / kVocabulary)) return read_two_files(path);
  if (fs::exists(path / kTokenizerJson)) return read_tokenizer_json(path / kTokenizerJson);
  if (fs::exists(path / kOpenAi)) return read_openai(path / kOpenAi);
  fail("no tokenizer in {}: expected {} and {}, or {}, or {}", path.string(), kVocabulary, kMerges, kTokenizerJson,
       kOpenAi);
}

}  // namespace

BytePairs read_byte_pairs(const fs::path& path) {
  BytePairs pairs = read_any(path);
  pairs.index();
  return pairs;
}

void write_byte_pairs(const fs::path& folder, const BytePairs& pairs) {
  json vocabulary = json::object();
  for (const auto& [token, id] : pairs.vocabulary) vocabulary[token] = id;
  write_atomically(folder / kVocabulary, vocabulary.dump());
  write_atomically(folder / kMerges, [&](std::ostream& out) {
    out << "#version: 0.2\n";
    for (const auto& [left, right] : pairs.merges) out << left << ' ' << right << '\n';
  });
}

}  // namespace uvic
