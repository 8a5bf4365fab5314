#include "datasets/vocabulary.h"

#include <algorithm>
#include <map>
#include <unordered_set>
#include <utility>

#include "core/error.h"

namespace uvic {
namespace {

constexpr std::string_view kPadWord = "<pad>", kUnknownWord = "<unknown>";  // '<' never begins a longer token

bool is_word_byte(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
}

// Runs of letters, digits and inner apostrophes, lower-cased (bytes of UTF-8 letters stay as they are), and every other
// visible character by itself.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  bool inside = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = text[i];
    const bool apostrophe = c == '\'' && inside && i + 1 < text.size() && is_word_byte(text[i + 1]);
    if (is_word_byte(c) || apostrophe) {
      if (!inside) words.emplace_back();
      words.back() += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      inside = true;
      continue;
    }
    inside = false;
    if (c > ' ' && c != 0x7f) words.emplace_back(1, static_cast<char>(c));
  }
  return words;
}

}  // namespace

Vocabulary Vocabulary::build(const std::vector<std::string>& captions, int64_t max_size, int64_t min_count) {
  TORCH_CHECK(max_size > 2, "a vocabulary needs room for words beyond its two reserved ids, not a size of ", max_size);
  std::map<std::string, int64_t> counts;
  for (const auto& caption : captions)
    for (auto& word : split(caption)) ++counts[std::move(word)];

  std::vector<std::pair<std::string, int64_t>> ranked;
  for (auto& entry : counts)
    if (entry.second >= min_count) ranked.emplace_back(entry);
  // The map is sorted by word, and a stable sort keeps that order among equal counts.
  std::ranges::stable_sort(ranked, std::ranges::greater{}, [](const auto& entry) { return entry.second; });
  if (static_cast<int64_t>(ranked.size()) > max_size - 2) ranked.resize(max_size - 2);

  std::string text = fmt::format("{}\n{}\n", kPadWord, kUnknownWord);
  for (const auto& entry : ranked) text += entry.first + "\n";
  return from_text(text);
}

Vocabulary Vocabulary::from_text(const std::string& text) {
  Vocabulary vocabulary;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    vocabulary.words_.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  auto& words = vocabulary.words_;
  if (words.size() < 2 || words[kPad] != kPadWord || words[kUnknown] != kUnknownWord)
    fail("this is no vocabulary: expected one word a line, the first two being {} and {}", kPadWord, kUnknownWord);
  for (size_t id = 0; id < words.size(); ++id)
    if (words[id].empty() || !vocabulary.ids_.emplace(words[id], id).second)
      fail("line {} of the vocabulary {}: expected one new word a line", id + 1,
           words[id].empty() ? "is empty" : "repeats '" + words[id] + "'");
  return vocabulary;
}

std::string Vocabulary::to_text() const {
  std::string text;
  for (const auto& word : words_) text += word + "\n";
  return text;
}

int64_t Vocabulary::count_words(std::string_view text) {
  return std::ssize(split(text));
}

Vocabulary::Encoded Vocabulary::encode(std::string_view text, int64_t length) const {
  Encoded encoded;
  std::unordered_set<std::string> seen;
  for (const auto& word : split(text)) {
    const auto found = ids_.find(word);
    if (found == ids_.end() && seen.insert(word).second) encoded.unknown.push_back(word);
    if (static_cast<int64_t>(encoded.ids.size()) < length)
      encoded.ids.push_back(found == ids_.end() ? kUnknown : found->second);
    else
      ++encoded.dropped;
  }
  encoded.ids.resize(length, kPad);
  return encoded;
}

}  // namespace uvic
