#include "app/cli/lm_options.h"

#include <algorithm>

#include "transformer/attention.h"

namespace uvic {
namespace {

// The keys that a language model's run keeps, since its weights would mean something else; its tokenizer is kept too.
bool is_fixed_for_text(std::string_view section, std::string_view key) {
  if (section == "lm") return key != "stop_gradient" && key != "vocabulary";
  if (section == "init") return key == "allow";
  if (section == "lora") return true;
  if (section == "train") return key == "optimizer";
  return false;
}

}  // namespace

LmOptions::LmOptions(CLI::App& app, LmRunConfig& config, Scope scope) : ConfigOptions(app, is_fixed_for_text) {
  LmConfig& lm = config.lm;
  add("--lm.size", lm.size, "gives what is 0 of the following")->check(one_of(lm_sizes()));
  add("--lm.layers", lm.layers, "decoder layers")->check(at_least(0));
  add("--lm.dim", lm.dim, "width of a token")->check(at_least(0));
  add("--lm.heads", lm.heads, "attention heads")->check(at_least(0));
  add("--lm.head_dim", lm.head_dim, "width of a head")->check(at_least(0));
  add("--lm.hidden", lm.hidden, "width inside the feed-forward")->check(at_least(0));
  add("--lm.vocabulary", lm.vocabulary, "pieces of the tokenizer")->check(at_least(0));
  add("--lm.attention", lm.attention, "attention of every layer but the first and the last")
      ->check(one_of(attention_kinds()));
  add("--lm.memory", lm.memory, "what a token sees of a long text")->check(one_of(lm_memories()));
  add("--lm.block", lm.block, "tokens of a block of memory")->check(at_least(0));
  add("--lm.segments", lm.segments, "whole blocks before its own that a token sees")->check(at_least(0));
  add("--lm.fam_length", lm.fam_length, "vectors of the feedback memory of a layer")->check(at_least(0));
  add("--lm.stop_gradient", lm.stop_gradient, "no gradients into keys and values of earlier blocks");
  add("--lm.norm_epsilon", lm.norm_epsilon, "of the norms, under the root")->check(at_least(0));
  if (scope == kModelOnly) hide_others();
  TextDataConfig& data = config.data;
  add("--data,--data.spec", data.spec, "text:FILE (plain, .jsonl, .gz) or passkey");
  add("--data.tokenizer", data.tokenizer, "SentencePiece tokenizer.model; empty: one is learnt from the text");
  add("--data.length", data.length, "tokens of a row")->check(at_least(2));
  add("--data.documents", data.documents, "a token sees its own document alone");
  add("--data.state_passing", data.state_passing,
      "share of micro-batches whose feedback memory begins as the last one's ended")
      ->check(between(0, 1));
  add_init(config.init, config.lora);
  add_train(config.train, "rows");
  add("--eval.every", config.eval.every, "steps between scores; 0: never")->check(at_least(0));
  add("--eval.against", config.eval.against, "held-out text to score");
  add_record(config.output, "samples of text");
}

}  // namespace uvic
