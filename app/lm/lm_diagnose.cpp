// uvic lm diagnose
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/lm/lm_commands.h"
#include "app/lm/text_run.h"
#include "app/model/language_model.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "lm/diagnosis.h"
#include "lm/packed_text.h"

namespace uvic {
namespace {

constexpr int64_t kDiagnosedRows = 8;
constexpr uint64_t kRowSeed = 0;

struct LmDiagnoseCommand {
  std::string model, data;

  void run() const {
    const LanguageModel lm = load_language_model(model, at::kCPU);
    const LmRunConfig& config = lm.card.config;
    if (config.lm.memory != "none")
      fail("{} has lm.memory {}: a diagnosis looks at models without one", lm.path.string(), config.lm.memory);
    const PackedText text(open_held_out(data, lm.card.tokenizer).documents, config.data.length, kRowSeed);
    const Tensor rows = text.rows(0, std::min(kDiagnosedRows, text.rows_per_epoch()));
    Fields fields{{"model", lm.path.string()}, {"rows", rows.size(0)}, {"tokens", rows.size(1)}};
    const std::vector<std::string>& kinds = lm.net.config().attention;
    const std::vector<LayerDiagnosis> layers = diagnose_layers(lm.net, rows);
    for (size_t i = 0; i < layers.size(); ++i)
      fields["layers"][fmt::format("{} {}", i, kinds[i])] = {{"negative", layers[i].negative},
                                                             {"first_key", layers[i].sink}};
    for (int64_t length = 8; length <= rows.size(1); length *= 2) {
      stop_if_interrupted();
      fields["representation_difference"][std::to_string(length)] =
          representation_difference(lm.net, rows.narrow(1, 0, length));
    }
    print_result(fields, to_text(fields));
  }
};

}  // namespace

void add_lm_diagnose(CLI::App& lm) {
  CLI::App* sub = lm.add_subcommand(
      "diagnose", "negative weights, attention to the first token, and how far representations differ");
  auto command = std::make_shared<LmDiagnoseCommand>();
  sub->add_option("--model", command->model, "run or checkpoint folder, or .safetensors")->required();
  sub->add_option("--data", command->data, "text:FILE to look at it with")->required();
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
