#include "app/lm/text_beginning.h"

#include "app/model/model_weights.h"
#include "app/training/beginning.h"
#include "core/error.h"
#include "core/files.h"

namespace uvic {
namespace {

LanguageModel open_init(LmRunConfig& config) {
  LanguageModel model = load_language_model(config.init.file, at::kCPU);
  config.init.file = fs::absolute(model.path).lexically_normal();
  return model;
}

}  // namespace

TextBeginning open_text_beginning(LmRunConfig& config, LmOptions& options, bool resumes,
                                  const std::optional<LmCard>& card) {
  expect_init(config.init, config.lora);
  if (card) {
    TextBeginning beginning{.model = {}, .tokenizer = card->tokenizer, .sha256 = card->init_sha256};
    if (config.lora.rank > 0) {
      const fs::path base = config.init.file;
      expect_base(fs::exists(base) ? find_model_file(base) : base, beginning.sha256, "the run's checkpoint", "--init");
      beginning.model = open_init(config);
    } else if (config.init.file != card->config.init.file) {
      fail("the run began with '{}', which cannot become {}: leave out --init", card->config.init.file,
           config.init.file);
    }
    return beginning;
  }
  if (config.init.file.empty()) return {};
  LanguageModel model = open_init(config);
  if (!resumes) options.apply_toml(inherited_config<LmOptions>(model.card.config), "config of " + model.path.string());
  if (!config.data.tokenizer.empty()) fail("{} has its tokenizer: leave out --data.tokenizer", model.path.string());
  TextBeginning beginning{.model = {}, .tokenizer = model.card.tokenizer, .sha256 = sha256_of_file(model.path)};
  beginning.model.emplace(std::move(model));
  return beginning;
}

}  // namespace uvic
