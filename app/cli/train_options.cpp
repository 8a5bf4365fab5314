// Options that all runs have.
#include "app/cli/config_options.h"
#include "core/precision.h"

namespace uvic {

void ConfigOptions::add_init(InitConfig& init, LoraConfig& lora) {
  add("--init,--init.file", init.file,
      "begin with these weights (and, without --preset or --config, with their config): run folder, checkpoint, "
      "bundle, "
      ".safetensors or .pth");
  add("--init.allow", init.allow,
      "where they may differ from the network: 'new' parameters keep what was drawn, tensors 'missing' from it are "
      "left "
      "out; with both a tensor of another shape, too")
      ->check(taken_by(parse_allowed));
  add("--lora.rank", lora.rank,
      "train adapters of this rank on the matrices of the blocks, nothing else; 0: all weights")
      ->check(at_least(0));
  add("--lora.alpha", lora.alpha, "adapters count alpha / rank times; 0: once")->check(at_least(0));
}

void ConfigOptions::add_train(TrainConfig& c, std::string_view items) {
  add("--steps,--train.steps", c.steps, "optimizer steps")->check(at_least(1));
  add("--batch,--train.batch", c.batch, fmt::format("{} per batch, of all ranks together", items))->check(at_least(1));
  add("--train.accumulate", c.accumulate, "batches per step, whose gradients are added up")->check(at_least(1));
  add("--train.micro_batch", c.micro_batch,
      fmt::format("{} computed at once, for less memory; 0: a rank's whole share of a batch", items))
      ->check(at_least(0));
  add("--seed,--train.seed", c.seed, "of initial weights, data order, noise");
  add("--lr,--train.lr", c.lr, "learning rate")->check(at_least(0));
  add("--train.warmup", c.warmup, "steps of linear warm-up")->check(at_least(0));
  add("--train.lr_decay", c.lr_decay, "after the warm-up")->check(one_of(lr_decays()));
  add("--train.optimizer", c.optimizer, "of the weights")->check(one_of(optimizers()));
  add("--train.clip", c.clip, "largest gradient norm; 0: no clipping")->check(at_least(0));
  add("--train.precision", c.precision, "of matrix products")->check(one_of(precisions()));
  add("--train.beta1", c.adamw.beta1, "AdamW")->check(between(0, 1));
  add("--train.beta2", c.adamw.beta2, "AdamW")->check(between(0, 1));
  add("--train.eps", c.adamw.eps, "AdamW")->check(at_least(0));
  add("--train.weight_decay", c.adamw.weight_decay, "of every parameter")->check(at_least(0));
  add("--train.ema", c.ema.rate, "share of the average that a step keeps")->check(between(0, 1));
  add("--train.ema_warmup", c.ema.warmup, "lower share in the first steps");
  add("--world.wire", c.world.wire, "how ranks send each other gradients")->check(one_of(precisions()));
  add("--world.overlap", c.world.overlap, "send gradients while others are still being made");
  add("--world.check", c.world.check, "steps between comparisons of the ranks' weights; 0: none")->check(at_least(0));
  add("--world.timeout", c.world.timeout, "seconds in which a rank must answer the others")->check(at_least(1));
}

void ConfigOptions::add_record(RecordConfig& c, std::string_view samples) {
  add("--name,--output.name", c.name, "of the run folder, behind its number");
  add("--output.log_every", c.log_every, "steps between rows of the logs")->check(at_least(1));
  add("--output.save_every", c.save_every, "steps between checkpoints")->check(at_least(1));
  add("--output.keep_last", c.keep_last, "checkpoints kept beside the best one")->check(at_least(1));
  add("--output.sample_every", c.sample_every, fmt::format("steps between {}; 0: none", samples))->check(at_least(0));
}

}  // namespace uvic
