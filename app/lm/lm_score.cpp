// uvic lm score
#include <cmath>
#include <memory>
#include <numbers>

#include "app/cli/results.h"
#include "app/lm/language_model_argument.h"
#include "app/lm/lm_commands.h"
#include "app/lm/text_run.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

struct LmScoreCommand {
  LanguageModelArgument model;
  std::string data;

  void run() const {
    const LanguageModel lm = model.load();
    const HeldOut text = open_held_out(data, lm.card.tokenizer);
    Progress progress("score", std::ssize(text.documents), "document");
    const Perplexity p = perplexity(lm.net, text.documents, lm.card.config.data.length, [&](int64_t done) {
      progress.update(done);
      stop_if_interrupted();
    });
    const double bits = p.nats / std::numbers::ln2 / static_cast<double>(text.bytes);
    Fields fields{{"model", lm.path.string()}, {"step", lm.card.step}, {"data", data},
                  {"documents", p.documents},  {"tokens", p.tokens},   {"bytes", text.bytes},
                  {"perplexity", p.value},     {"bits_per_byte", bits}};
    if (p.interval) fields["interval_95"] = {p.interval->first, p.interval->second};
    print_result(fields, to_text(fields));
  }
};

}  // namespace

void add_lm_score(CLI::App& lm) {
  CLI::App* sub = lm.add_subcommand("score", "how well a model predicts texts: perplexity, bits per byte");
  auto command = std::make_shared<LmScoreCommand>();
  command->model.add_options(*sub);
  sub->add_option("--data", command->data, "text:FILE it was not trained on")->required();
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
