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

}  // namespace

void write_tokens(const Cogformer& net, std::span<const int32_t> prompt, int64_t count, uint64_t seed,
                  const NextTokenConfig& config, const std::function<bool(int32_t)>& take) {
  const at::NoGradGuard no_grad;
  Reader reader(net, 1);
  Tensor next = at::tensor(at::ArrayRef<int32_t>(prompt.data(), prompt.size())).to(at::kLong).unsqueeze(0);
  for (int64_t i = 0; i < count; ++i) {
    const Tensor logits = reader.read(next.to(net.device()));
    const double uniform = unit_interval(hash_mix({seed, static_cast<uint64_t>(i)}));
    const int64_t token = choose_token(logits.select(1, logits.size(1) - 1).squeeze(0), config, uniform);
    if (!take(static_cast<int32_t>(token))) return;
    next = at::full({1, 1}, token, at::kLong);
  }
}

WrittenText write_text(const Cogformer& net, const Tokenizer& tokenizer, const TextRequest& request,
                       const std::function<void(std::string_view)>& on_text) {
  std::vector<int32_t> pieces = tokenizer.encode(request.prompt);
  pieces.insert(pieces.begin(), tokenizer.begin());
  const std::vector<int32_t> prompt = pieces;
  WrittenText written{.text = request.prompt};
  if (on_text) on_text(written.text);
  const auto show = [&](std::string_view text) {
    if (text.size() <= written.text.size()) return;
    if (on_text) on_text(text.substr(written.text.size()));
    written.text = text;
  };
  write_tokens(net, prompt, request.tokens, request.seed, request.next, [&](int32_t next) {
    written.ended = next == tokenizer.end();
    if (written.ended) return false;
    pieces.push_back(next);
    ++written.tokens;
    show(settled(tokenizer.decode(std::span(pieces).subspan(1))));
    return true;
  });
  show(tokenizer.decode(std::span(pieces).subspan(1)));
  return written;
}

}  // namespace uvic
