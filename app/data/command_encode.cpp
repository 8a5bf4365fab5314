// uvic encode SPEC
#include <memory>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/cli/seeds.h"
#include "app/data/encode.h"
#include "app/model/model.h"
#include "app/world/shared_work.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"

namespace uvic {
namespace {

constexpr const char* kSize = "256";  // of the published models' pictures

struct EncodeCommand {
  std::string spec, autoencoder, text, out, device = "cpu";
  SharedWork work;
  int64_t file_images = 64;

  void run() {
    work.run([&](const World& world) { encode(world); });
  }

 private:
  void encode(const World& world) const {
    const at::Device where = parse_device(device);
    AutoencoderKl images = load_autoencoder(autoencoder);
    const std::unique_ptr<TextEncoder> captions = load_text_encoder(text);
    Spec parsed = Spec::parse(spec);
    parsed.options.try_emplace("size", kSize);
    const auto data = open_dataset(parsed);
    const LatentIndex index = describe_cache(*data, parsed.text(), images, *captions, file_images);
    begin_cache(out, index);
    const std::optional<Share> share = parse_share(work.shard);
    const Stretch shards = share.value_or(Share()).of(index.shard_count());
    const int64_t wanted = images_in(index, shards);
    const LatentShards before = encoded_before(out, shards);
    const int64_t done = images_in(index, before);
    if (done > 0) log_line(fmt::format("{} of {} images are encoded already", done, wanted));
    images.to(where);
    captions->to(where);
    try {
      Progress progress("encode", wanted, "image", done);
      const int64_t cut = encode_rest(*data, {images, *captions, where}, out, index, share, before,
                                      [&](int64_t count) { progress.update(count); });
      if (cut > 0)
        warn(fmt::format("{} captions are longer than the {} tokens that the text encoder reads", cut,
                         captions->most_tokens()));
    } catch (const Interrupted&) {
      log_line("interrupted: the same command goes on");
      throw;
    }
    world.barrier(kPatience);
    const bool complete = finish_latent_index(out);
    Fields fields = {{"folder", out}, {"images", world.size() > 1 ? index.images : wanted}, {"spec", "latents:" + out}};
    const bool is_shard = share && world.size() == 1;
    if (is_shard) fields.update({{"shard", share->text()}, {"complete", complete}});
    const std::string next = complete ? fmt::format("train on them with --data latents:{}", visible(out))
                                      : "shards of others are still to come";
    print_result(fields, is_shard
                             ? fmt::format("{}: shard {}, {} of {} images; {}", visible(out), share->text(), wanted,
                                           index.images, next)
                             : fmt::format("{} images in {}; {}", fields["images"].get<int64_t>(), visible(out), next));
  }
};

}  // namespace

void add_encode_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("encode", "turn pictures and captions into latents and text states to train on");
  sub->footer(
      "Pictures are cropped to the largest centred square and resized with Lanczos (?size=256 unless given). "
      "A run that\n"
      "was stopped goes on with the same command; a cache takes no images of another autoencoder or text encoder.");
  auto command = std::make_shared<EncodeCommand>();
  EncodeCommand& c = *command;
  sub->add_option("SPEC", c.spec, "data SPEC with captions, such as coco:data or folder:PATH")->required();
  sub->add_option("--autoencoder", c.autoencoder, "autoencoder_kl.pth of U-ViT, or the vae folder of diffusers")
      ->required();
  sub->add_option("--text", c.text, "the folder of a text encoder, CLIP as a rule")->required();
  sub->add_option("-o,--out", c.out, "folder of the cache: new, or one to go on with")->required();
  sub->add_option("--file-images", c.file_images, "images a file")
      ->check(number<int64_t>())
      ->check(between(1, 100000))
      ->capture_default_str();
  c.work.add_options(*sub,
                     "encode only share I of N (0/N to N-1/N) of the files, in a process of its own; all have one "
                     "folder, which whoever is last completes");
  sub->add_option("--device", c.device, "cpu, cuda or cuda:N")->check(device_name())->capture_default_str();
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
