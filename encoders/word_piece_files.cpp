// The files WordPiece vocabularies come in.
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/text_file.h"
#include "encoders/word_pieces.h"

namespace uvic {
namespace {

using nlohmann::json;

constexpr const char *kVocabulary = "vocab.txt", *kTokenizerJson = "tokenizer.json",
                     *kTokenizerConfig = "tokenizer_config.json";

// Settings of the text's cleaning, each under its names in tokenizer_config.json and in tokenizer.json's normalizer.
constexpr const char* kCleaning[] = {"do_lower_case",        "lowercase", "strip_accents", "tokenize_chinese_chars",
                                     "handle_chinese_chars", "clean_text"};

// Accents go with capitals where it is not said (null).
void expect_uncased(const json& settings, const std::string& file) {
  for (const char* name : kCleaning)
    if (settings.is_object() && settings.contains(name) && !settings[name].is_null() && settings[name] != json(true))
      fail("{}: {} is {}, but only tokenizers that drop capitals and accents are known: give an uncased BERT", file,
           name, settings[name].dump());
}

std::vector<std::string> read_lines(const fs::path& file) {
  std::vector<std::string> tokens;
  std::istringstream lines(read_text(file, "vocabulary"));
  for (std::string line; std::getline(lines, line);) {
    if (line.ends_with('\r')) line.pop_back();
    tokens.push_back(line);
  }
  return tokens;
}

std::vector<std::string> read_tokenizer_json(const fs::path& file) {
  const std::string name = file.string();
  const json root = read_json(file, "tokenizer");
  const json model = root.is_object() ? root.value("model", json()) : json();
  if (!model.is_object() || model.value("type", json("WordPiece")) != json("WordPiece") || !model.contains("vocab"))
    fail("{} is not the tokenizer of a BERT: expected a model of type WordPiece", name);
  expect_uncased(root.value("normalizer", json()), name);
  const TokenIds ids = read_token_ids(model["vocab"], name);
  std::vector<std::string> tokens(ids.size());
  for (const auto& [token, id] : ids) {
    if (id >= std::ssize(tokens) || !tokens[id].empty())
      fail("{}: the id of '{}' is {}, expected each of 0 to {} once", name, token, id, tokens.size() - 1);
    tokens[id] = token;
  }
  return tokens;
}

}  // namespace

WordPieces read_word_pieces(const fs::path& folder) {
  const fs::path lines = folder / kVocabulary, tokenizer = folder / kTokenizerJson, config = folder / kTokenizerConfig;
  if (fs::exists(config)) expect_uncased(read_json(config, "tokenizer's config"), config.string());
  if (fs::exists(tokenizer)) return {read_tokenizer_json(tokenizer), tokenizer.string()};
  if (fs::exists(lines)) return {read_lines(lines), lines.string()};
  fail("no tokenizer of a BERT in {}: expected {} or {}", folder.string(), kTokenizerJson, kVocabulary);
}

void write_word_pieces(const fs::path& folder, const WordPieces& pieces) {
  write_atomically(folder / kVocabulary, [&](std::ostream& out) {
    for (const std::string& token : pieces.tokens()) out << token << '\n';
  });
  write_json(folder / kTokenizerConfig, {{"tokenizer_class", "BertTokenizer"}, {"do_lower_case", true}});
}

}  // namespace uvic
