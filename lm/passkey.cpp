#include "lm/passkey.h"

#include "core/error.h"
#include "core/random.h"

namespace uvic {
namespace {

constexpr const char* kBefore =
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. I will quiz you "
    "about the important information there. The pass key is {0}. Remember it. {0} is the pass key.";
constexpr const char* kFiller =
    "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";
constexpr const char* kAfter = "What is the pass key? The pass key is";
constexpr uint64_t kMostKey = 50'000;

}  // namespace

PasskeyText::PasskeyText(const Tokenizer& tokenizer, int64_t length, uint64_t seed, uint64_t item)
    : key_(1 + static_cast<int64_t>(hash_mix({seed, item}) % kMostKey)),
      before_(tokenizer.encode(fmt::format(fmt::runtime(kBefore), key_))),
      filler_(tokenizer.encode(kFiller)),
      after_(tokenizer.encode(kAfter)),
      answer_(tokenizer.encode(std::to_string(key_))) {
  before_.insert(before_.begin(), tokenizer.begin());
  answer_.push_back(tokenizer.end());
  question_length_ = length - std::ssize(answer_);
  if (const int64_t least = std::ssize(before_) + std::ssize(after_); least > question_length_)
    fail("a passkey text takes {} tokens without any filler, not {}", least + std::ssize(answer_), length);
}

int32_t PasskeyText::question(int64_t i) const {
  const auto before = std::ssize(before_), after = question_length_ - std::ssize(after_);
  if (i < before) return before_[i];
  if (i >= after) return after_[i - after];
  return filler_[(i - before) % std::ssize(filler_)];  // the last sentences may be cut short
}

std::vector<std::string> passkey_examples(uint64_t seed) {
  std::vector<std::string> texts;
  for (uint64_t item = 0; item < 64; ++item)
    texts.push_back(fmt::format(fmt::runtime(kBefore), hash_mix({seed, item}) % kMostKey) + " " + kFiller + " " +
                    kAfter + " 1.");
  return texts;
}

}  // namespace uvic
