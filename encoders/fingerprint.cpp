#include "encoders/fingerprint.h"

#include <fmt/ranges.h>

#include <map>

#include "core/files.h"

namespace uvic {
namespace {

std::string describe(const NamedTensors& parameters) {
  std::string lines;
  for (const auto& [name, parameter] : to_map(parameters)) {
    const Tensor dense = parameter.cpu().contiguous();
    lines += fmt::format("{} {} {} {}\n", name, c10::toString(dense.scalar_type()), fmt::join(dense.sizes(), "x"),
                         sha256_of_bytes({static_cast<const char*>(dense.data_ptr()), dense.nbytes()}));
  }
  return lines;
}

}  // namespace

std::string fingerprint(const AutoencoderKl& autoencoder) {
  return sha256_of_bytes(fmt::format("groups {}\n{}", autoencoder.config().groups, describe(autoencoder.parameters())));
}

std::string fingerprint(const TextEncoder& text) {
  std::string words;
  if (const auto* bert = dynamic_cast<const BertTextEncoder*>(&text)) {
    for (const std::string& token : bert->tokenizer.tokens()) words += token + "\n";
    return sha256_of_bytes(to_json(bert->net.config()).dump() + words + describe(bert->net.parameters()));
  }
  const auto& clip = dynamic_cast<const ClipTextEncoder&>(text);
  const BytePairs& pairs = clip.tokenizer.pairs();
  for (const auto& [token, id] : std::map(pairs.vocabulary.begin(), pairs.vocabulary.end()))
    words += fmt::format("{} {}\n", token, id);
  for (const auto& [left, right] : pairs.merges) words += fmt::format("{} {}\n", left, right);
  return sha256_of_bytes(to_json(clip.net.config()).dump() + words + describe(clip.net.parameters()));
}

}  // namespace uvic
