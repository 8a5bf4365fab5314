#include "app/model/convert_language_model.h"

#include "app/model/language_model.h"
#include "core/error.h"
#include "core/files.h"
#include "core/pickle/pth.h"
#include "core/progress.h"
#include "lm/original.h"

namespace uvic {
namespace {

LmCard card_of_original(const std::filesystem::path& file, const std::string& tokenizer) {
  if (lower_extension(file) != ".pth" && lower_extension(file) != ".pt")
    fail("{} does not say how its model is built: give the original's .pth, which does", file.string());
  LmRunConfig config;
  config.lm = original_config(read_pth(file), file.string());
  if (tokenizer.empty())
    fail("{} has no tokenizer: give the tokenizer.model it was trained with as --tokenizer", file.string());
  LmCard card{
      .config = config, .step = 0, .tokenizer = Tokenizer::from_model(read_file(tokenizer, "tokenizer"), tokenizer)};
  if (card.tokenizer.size() != config.lm.vocabulary)
    fail("{} has {} pieces, the model {}: give the tokenizer.model it was trained with", tokenizer,
         card.tokenizer.size(), config.lm.vocabulary);
  return card;
}

}  // namespace

TensorMap convert_language_model(const std::filesystem::path& file, TensorFile weights,
                                 const std::filesystem::path& target, const std::string& tokenizer) {
  const bool has_card = weights.metadata.contains(LmCard::kConfigEntry);
  if (has_card && !tokenizer.empty()) fail("{} has its tokenizer already: leave out --tokenizer", file.string());
  const LmCard card =
      has_card ? LmCard::from_metadata(weights.metadata, file.string()) : card_of_original(file, tokenizer);
  weights.tensors = without_buffers(std::move(weights.tensors));
  expect_enough(parameter_count(card.config.lm), weights.tensors, file.string());
  expect_fit(Cogformer(cogformer_config(card.config.lm)).parameters(), weights.tensors, file.string(),
             "take the weights that belong to this config");
  if (lower_extension(target) == ".safetensors") {
    write_safetensors(target, {weights.tensors, card.to_metadata()});
  } else {
    write_original(target, card.config.lm, weights.tensors, card.config.data.length);
    log_line("note: .pth files hold weights and sizes; the tokenizer stays behind");
  }
  return weights.tensors;
}

}  // namespace uvic
