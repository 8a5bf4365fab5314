#include "app/draw/written_captions.h"

#include <algorithm>

#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "lm/generator.h"

namespace uvic {
namespace {

constexpr int64_t kMostCaptionTokens = 64;
constexpr double kCaptionTemperature = 0.7;  // what is unlikely is seldom a sentence

std::string on_one_line(std::string text) {
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
  return valid_utf8(text);
}

}  // namespace

std::string write_caption(const LanguageModel& lm, const std::string& beginning, uint64_t seed) {
  return on_one_line(write_text(lm.net, lm.card.tokenizer,
                                {.prompt = beginning,
                                 .tokens = kMostCaptionTokens,
                                 .seed = seed,
                                 .next = {.temperature = kCaptionTemperature}})
                         .text);
}

std::vector<std::string> write_captions(const std::filesystem::path& language_model,
                                        const std::vector<std::string>& beginnings, int64_t count) {
  const LanguageModel lm = load_language_model(language_model, at::kCPU);
  std::vector<std::string> captions;
  for (const std::string& beginning : beginnings.empty() ? std::vector<std::string>{""} : beginnings)
    for (int64_t i = 0; i < count; ++i) {
      stop_if_interrupted();
      captions.push_back(write_caption(lm, beginning, static_cast<uint64_t>(i)));
      log_line(fmt::format("caption {}: {}", captions.size(), captions.back()));
    }
  return captions;
}

}  // namespace uvic
