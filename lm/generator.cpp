#include "lm/generator.h"

#include "core/random.h"
#include "lm/reader.h"

namespace uvic {
namespace {

// Without the characters at the end that further bytes may complete: the tokenizer shows each byte of such as U+FFFD.
std::string_view settled(std::string_view text) {
  constexpr std::string_view kUnknown = "\xEF\xBF\xBD";
  for (int i = 0; i < 3 && text.ends_with(kUnknown); ++i) text.remove_suffix(kUnknown.size());
  return text;
}

double uniform_of(uint64_t seed, int64_t token) {
  return static_cast<double>(hash_mix({seed, static_cast<uint64_t>(token)}) >> 11) * 0x1p-53;
}

}  // namespace

WrittenText write_text(const Cogformer& net, const Tokenizer& tokenizer, const TextRequest& request,
                       const std::function<void(std::string_view)>& on_text) {
  const at::NoGradGuard no_grad;
  std::vector<int32_t> pieces = tokenizer.encode(request.prompt);
  pieces.insert(pieces.begin(), tokenizer.begin());
  const auto row = [&](std::span<const int32_t> part) {
    return at::tensor(at::ArrayRef<int32_t>(part.data(), part.size())).to(at::kLong).unsqueeze(0).to(net.device());
  };
  WrittenText written{.text = request.prompt};
  if (on_text) on_text(written.text);
  const auto show = [&](std::string_view text) {
    if (text.size() <= written.text.size()) return;
    if (on_text) on_text(text.substr(written.text.size()));
    written.text = text;
  };
  Reader reader(net, 1);
  Tensor logits = reader.read(row(pieces));
  while (written.tokens < request.tokens) {
    const Tensor last = logits.select(1, logits.size(1) - 1).squeeze(0);
    const auto next = static_cast<int32_t>(choose_token(last, request.next, uniform_of(request.seed, written.tokens)));
    if (next == tokenizer.end()) {
      written.ended = true;
      break;
    }
    pieces.push_back(next);
    ++written.tokens;
    show(settled(tokenizer.decode(std::span(pieces).subspan(1))));
    if (written.tokens < request.tokens) logits = reader.read(row(std::span(pieces).last(1)));
  }
  show(tokenizer.decode(std::span(pieces).subspan(1)));
  return written;
}

}  // namespace uvic
