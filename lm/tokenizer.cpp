#include "lm/tokenizer.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <limits>

#include "core/error.h"

namespace uvic {
namespace {

// Of all texts, line by line.
class Lines : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(std::span<const std::string> texts) : texts_(texts) { Next(); }
  bool done() const override { return done_; }
  void Next() override {
    while (text_ < texts_.size()) {
      const std::string& text = texts_[text_];
      const size_t end = std::min(text.find('\n', place_), text.size());
      line_ = text.substr(place_, end - place_);
      place_ = end + 1;
      if (place_ > text.size()) ++text_, place_ = 0;
      if (!line_.empty()) return;
    }
    done_ = true;
  }
  const std::string& value() const override { return line_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::span<const std::string> texts_;
  size_t text_ = 0, place_ = 0;
  std::string line_;
  bool done_ = false;
};

// Without the place in SentencePiece's code that its messages begin with.
std::string reason(std::string_view message) {
  const size_t code = message.find("] ");
  return std::string(code == std::string_view::npos ? message : message.substr(code + 2));
}

constexpr int64_t kBytesAndMarks = 256 + 3;  // every byte, and the pieces that are unknown, begin and end a text

}  // namespace

Tokenizer Tokenizer::train(std::span<const std::string> texts, int64_t pieces) {
  if (pieces <= kBytesAndMarks)
    fail("lm.vocabulary = {}: a tokenizer needs more than {} pieces, which spell every byte", pieces, kBytesAndMarks);
  Lines lines(texts);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train({{"model_type", "bpe"},
                                                                  {"vocab_size", std::to_string(pieces)},
                                                                  {"character_coverage", "1.0"},
                                                                  {"byte_fallback", "true"},
                                                                  {"split_digits", "true"},
                                                                  {"normalization_rule_name", "identity"},
                                                                  {"remove_extra_whitespaces", "false"},
                                                                  {"allow_whitespace_only_pieces", "true"},
                                                                  {"max_sentence_length", std::to_string(1 << 30)},
                                                                  {"num_threads", "1"},
                                                                  {"minloglevel", "2"}},
                                                                 &lines, &model);
  if (!status.ok())
    fail("no tokenizer of {} pieces can be learnt from this text: {} Give another --lm.vocabulary or more text", pieces,
         reason(status.message()));
  return Tokenizer(std::move(model), "the trained tokenizer");
}

Tokenizer Tokenizer::from_model(std::string model, const std::string& origin) {
  return Tokenizer(std::move(model), origin);
}

Tokenizer::Tokenizer(std::string model, const std::string& origin) : model_(std::move(model)) {
  auto pieces = std::make_shared<sentencepiece::SentencePieceProcessor>();
  const auto status = pieces->LoadFromSerializedProto(model_);
  if (!status.ok()) fail("{} is no SentencePiece model: expected a tokenizer.model, as Llama 2 has one", origin);
  if (pieces->bos_id() < 0 || pieces->eos_id() < 0)
    fail("{} has no pieces that begin and end a text (<s>, </s>): take another tokenizer", origin);
  pieces_ = std::move(pieces);
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
  if (text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max()))
    fail("a text of {} bytes is too long for the tokenizer, which takes 2 GiB", text.size());
  std::vector<int> pieces;
  const auto status = pieces_->Encode({text.data(), text.size()}, &pieces);
  TORCH_CHECK(status.ok(), status.message());
  return pieces;
}

std::string Tokenizer::decode(std::span<const int32_t> pieces) const {
  std::string text;
  const auto status = pieces_->Decode(std::vector<int>(pieces.begin(), pieces.end()), &text);
  TORCH_CHECK(status.ok(), status.message());
  return text;
}

int64_t Tokenizer::size() const {
  return pieces_->GetPieceSize();
}
int32_t Tokenizer::begin() const {
  return pieces_->bos_id();
}
int32_t Tokenizer::end() const {
  return pieces_->eos_id();
}

}  // namespace uvic
