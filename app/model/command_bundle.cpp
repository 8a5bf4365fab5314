// uvic bundle OUT
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/model/bundle.h"
#include "app/model/model_argument.h"
#include "core/text.h"

namespace uvic {
namespace {

struct BundleCommand {
  std::string out, model;
  ModelArgument argument;

  void run() {
    const Model loaded = argument.load(model);
    if (loaded.card.config.data.latent_scale > 0 && !loaded.autoencoder)
      fail("{} draws latents: give the autoencoder that makes pictures of them with --autoencoder", model);
    write_bundle(out, loaded);
    print_result({{"bundle", out}}, visible(out));
  }
};

}  // namespace

void add_bundle_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("bundle", "put a model, its autoencoder and its text encoder into one folder");
  sub->footer(
      "`--model OUT` then suffices for every command. The folder is laid out as diffusers does, and the parts that\n"
      "are not uvic's own (vae, text_encoder, tokenizer) load in Python as well.");
  auto command = std::make_shared<BundleCommand>();
  BundleCommand& c = *command;
  sub->add_option("OUT", c.out, "folder to make")->required();
  sub->add_option("-m,--model", c.model, "run folder, checkpoint, .safetensors or .pth")->required();
  c.argument.add_options(*sub);
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
