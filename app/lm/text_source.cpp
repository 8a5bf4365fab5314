#include "app/lm/text_source.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <memory>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "datasets/text_documents.h"
#include "lm/packed_text.h"
#include "lm/passkey.h"
#include "transformer/attention.h"

namespace uvic {
namespace {

Tokenizer choose_tokenizer(LmRunConfig& config, const std::optional<Tokenizer>& known,
                           const std::function<std::vector<std::string>()>& texts) {
  if (known) return *known;
  if (config.data.tokenizer.empty()) return Tokenizer::train(texts(), resolve(config.lm).vocabulary);
  Tokenizer tokenizer = Tokenizer::from_model(read_file(config.data.tokenizer, "tokenizer"), config.data.tokenizer);
  if (config.lm.vocabulary != 0 && config.lm.vocabulary != tokenizer.size())
    fail("{} has {} pieces, lm.vocabulary is {}: leave out --lm.vocabulary, which the tokenizer gives",
         config.data.tokenizer, tokenizer.size(), config.lm.vocabulary);
  return tokenizer;
}

// What tokens of rows see, where the model does not go block by block anyway.
VisibleKeys visible_keys(const LmRunConfig& config, const Tensor& tokens, int32_t begin) {
  const int64_t length = tokens.size(1);
  const bool windows = config.lm.memory != "none";
  VisibleKeys keys =
      windows ? block_window_keys(length, config.lm.block, config.lm.segments) : causal_keys(length, length);
  if (!config.data.documents) return keys;
  const VisibleKeys documents = document_keys(tokens == begin);
  return {.first = at::maximum(keys.first, documents.first), .last = documents.last};
}

void expect_no_documents(const LmRunConfig& config) {
  if (!config.data.documents) return;
  if (config.lm.memory == "fam")
    fail("lm.memory fam carries what it read from document to document: give --data.documents false with it");
  if (config.lm.stop_gradient) fail("lm.stop_gradient is for rows of one text: give --data.documents false with it");
}

TextSource source_of_files(LmRunConfig& config, const std::optional<Tokenizer>& known) {
  expect_no_documents(config);
  const TextDocuments text = open_text(Spec::parse(config.data.spec));
  const Tokenizer tokenizer = choose_tokenizer(config, known, [&] { return text.texts; });
  const auto packed =
      std::make_shared<const PackedText>(tokenize(tokenizer, text.texts), config.data.length, config.train.seed);
  const auto batch_at = [packed, config, begin = tokenizer.begin()](Items items) {
    const Tensor tokens = packed->rows(items.first, items.count);
    // That a document begins is no matter of language.
    return TextBatch{.tokens = tokens, .counted = tokens != begin, .visible = visible_keys(config, tokens, begin)};
  };
  return {.description = text.description, .tokenizer = tokenizer, .batch_at = batch_at};
}

// Rows of one length per batch: its logarithm is anything between those of `shortest` and data.length, so that what is
// easy comes often. During the first `grow` batches the longest ones, by their logarithm too, grow to data.length.
TextSource source_of_passkeys(LmRunConfig& config, const std::optional<Tokenizer>& known) {
  const Spec spec = Spec::parse(config.data.spec);
  for (const auto& [name, value] : spec.options)
    if (name != "shortest" && name != "grow")
      fail("data '{}': unknown option '{}': expected one of shortest, grow", config.data.spec, name);
  const int64_t shortest = spec.get_int("shortest", 128), grow = spec.get_int("grow", 0);
  if (shortest < 1 || shortest > config.data.length)
    fail("data '{}': shortest is at least 1 and at most data.length, {}", config.data.spec, config.data.length);
  if (grow < 0) fail("data '{}': grow counts batches, 0 or more", config.data.spec);
  config.data.documents = false;
  const Tokenizer tokenizer = choose_tokenizer(config, known, [&] { return passkey_examples(config.train.seed); });
  const PasskeyText smallest(tokenizer, shortest, 0, 0);  // an error here, not in the midst of training
  const auto batch_at = [config, shortest, grow, tokenizer](Items items) {
    const int64_t k = items.first / config.train.batch;
    const uint64_t seed = config.train.seed;
    const double share = unit_interval(hash_mix({seed, ~static_cast<uint64_t>(k)}));
    const double range = std::log(static_cast<double>(config.data.length) / static_cast<double>(shortest));
    const double grown = k < grow ? static_cast<double>(k + 1) / static_cast<double>(grow) : 1;
    const auto length = static_cast<int64_t>(static_cast<double>(shortest) * std::exp(range * grown * share));
    const Tensor tokens = at::full({items.count, length}, static_cast<int64_t>(tokenizer.end()), at::kLong);
    const Tensor counted = at::zeros({items.count, length}, at::kBool);
    for (int64_t row = 0; row < items.count; ++row) {
      const PasskeyText text(tokenizer, length, seed, static_cast<uint64_t>(items.first + row));
      int64_t* out = tokens[row].data_ptr<int64_t>();
      for (int64_t i = 0; i < text.question_length(); ++i) *out++ = text.question(i);
      std::ranges::copy(text.answer(), out);
      counted[row].narrow(0, text.question_length(), std::ssize(text.answer())).fill_(true);
    }
    return TextBatch{.tokens = tokens, .counted = counted, .visible = visible_keys(config, tokens, tokenizer.begin())};
  };
  return {.description = fmt::format("made-up passkey texts of {} to {} tokens", shortest, config.data.length),
          .tokenizer = tokenizer,
          .batch_at = batch_at};
}

constexpr Entry<OpenTextSource> kTextSources[] = {
    {"text", source_of_files, "documents of a file: text:FILE?documents=line|paragraph|file"},
    {"passkey", source_of_passkeys, "a number to be remembered over a long text"},
};

// "cogformer" for one with Cog Attention.
std::string lm_in_names(const LmConfig& config) {
  return config.attention == "cog" ? "cogformer" : "transformer";
}

}  // namespace

std::span<const Entry<OpenTextSource>> text_sources() {
  return kTextSources;
}

TextSource open_text_source(LmRunConfig& config, const std::optional<Tokenizer>& known) {
  if (config.data.spec.empty()) fail("no text to train on: give --data text:FILE");
  const std::string kind = Spec::parse(config.data.spec).kind;
  if (config.data.state_passing > 0 && config.lm.memory != "fam")
    fail("data.state_passing = {}: only lm.memory fam has a state to pass on", config.data.state_passing);
  resolve(config.lm);
  TextSource source = find(text_sources(), kind, "kind of text").value(config, known);
  config.lm.vocabulary = source.tokenizer.size();
  config.lm = resolve(config.lm);
  if (config.output.name.empty())
    config.output.name = fmt::format("{}-{}-{}", kind, lm_in_names(config.lm), config.lm.size);
  return source;
}

}  // namespace uvic
