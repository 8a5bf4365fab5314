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

std::vector<int32_t> joined(std::initializer_list<std::vector<int32_t>> parts) {
  std::vector<int32_t> all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

}  // namespace

PasskeyText passkey_text(const Tokenizer& tokenizer, int64_t length, uint64_t seed, uint64_t item) {
  PasskeyText text;
  text.key = 1 + static_cast<int64_t>(hash_mix({seed, item}) % kMostKey);
  const std::vector<int32_t> before = tokenizer.encode(fmt::format(fmt::runtime(kBefore), text.key));
  const std::vector<int32_t> filler = tokenizer.encode(kFiller), after = tokenizer.encode(kAfter);
  text.answer = tokenizer.encode(std::to_string(text.key));
  text.answer.push_back(tokenizer.end());
  const int64_t without = 1 + std::ssize(before) + std::ssize(after) + std::ssize(text.answer);
  if (without > length) fail("a passkey text takes {} tokens without any filler, not {}", without, length);
  std::vector<int32_t> middle;
  while (std::ssize(middle) + without < length) middle.insert(middle.end(), filler.begin(), filler.end());
  middle.resize(static_cast<size_t>(length - without));  // the last sentences may be cut short
  text.question = joined({{tokenizer.begin()}, before, middle, after});
  return text;
}

std::vector<std::string> passkey_examples(uint64_t seed) {
  std::vector<std::string> texts;
  for (uint64_t item = 0; item < 64; ++item)
    texts.push_back(fmt::format(fmt::runtime(kBefore), hash_mix({seed, item}) % kMostKey) + " " + kFiller + " " +
                    kAfter + " 1.");
  return texts;
}

}  // namespace uvic
