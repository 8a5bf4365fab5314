// uvic lm generate
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/prompts.h"
#include "app/cli/results.h"
#include "app/lm/language_model_argument.h"
#include "app/lm/lm_commands.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "lm/generator.h"

namespace uvic {
namespace {

// As a terminal may show it, line breaks kept.
std::string shown(std::string_view text) {
  std::string all;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    all += visible(text.substr(begin, end - begin));
    if (end < text.size()) all += '\n';
    begin = end + 1;
  }
  return all;
}

struct LmGenerateCommand {
  LanguageModelArgument model;
  TextRequest request;
  int64_t count = 1;

  void run() {
    expect_text("--prompt", request.prompt);
    const LanguageModel lm = model.load();
    for (int64_t i = 0; i < count; ++i, ++request.seed) write(lm);
  }

  void write(const LanguageModel& lm) const {
    const auto begin = std::chrono::steady_clock::now();
    const bool streams = !as_json();
    const WrittenText written = write_text(lm.net, lm.card.tokenizer, request, [streams](std::string_view more) {
      stop_if_interrupted();
      if (streams) result_part(shown(more));
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (streams) {
      result_part("\n");
    } else {
      print_result({{"text", written.text},
                    {"prompt", request.prompt},
                    {"seed", request.seed},
                    {"tokens", written.tokens},
                    {"ended", written.ended},
                    {"seconds", seconds}},
                   "");
    }
    log_line(fmt::format("{} tokens in {:.2f} s, {:.0f} a second{}", written.tokens, seconds,
                         static_cast<double>(written.tokens) / seconds, written.ended ? "" : "; not at an end yet"));
  }
};

}  // namespace

void add_lm_generate(CLI::App& lm) {
  CLI::App* sub = lm.add_subcommand("generate", "go on with a text");
  auto command = std::make_shared<LmGenerateCommand>();
  TextRequest& request = command->request;
  command->model.add_options(*sub);
  sub->add_option("--prompt", request.prompt, "how the text begins; empty: the model chooses");
  sub->add_option("--tokens", request.tokens, "write at most so many")
      ->check(number<int64_t>())
      ->check(at_least(1))
      ->capture_default_str();
  sub->add_option("--temperature", request.next.temperature, "of the choice; 0: always the likeliest token")
      ->check(number<double>())
      ->check(between(0, 100))
      ->capture_default_str();
  sub->add_option("--top-k", request.next.top_k, "choose among the so many likeliest tokens; 0: all")
      ->check(number<int64_t>())
      ->check(at_least(0))
      ->capture_default_str();
  sub->add_option("--top-p", request.next.top_p, "choose among the likeliest with this probability together")
      ->check(number<double>())
      ->check(between(0, 1))
      ->capture_default_str();
  sub->add_option("--seed", request.seed, "the same seed writes the same text")
      ->check(number<uint64_t>())
      ->capture_default_str();
  sub->add_option("--num", command->count, "texts, with this seed and the next ones")
      ->check(number<int64_t>())
      ->check(at_least(1))
      ->capture_default_str();
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
