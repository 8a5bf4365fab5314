// Cases of the frozen networks: "ae", "clip", "tokenizer"; and "pipe", from prompts to pictures with them.
#include "core/error.h"
#include "core/formats/json_file.h"
#include "core/image/image.h"
#include "diffusion/guidance.h"
#include "diffusion/sampler.h"
#include "encoders/autoencoder_kl.h"
#include "encoders/clip_text.h"
#include "encoders/clip_tokenizer.h"
#include "tests/parity/case.h"
#include "tests/parity/model.h"

namespace uvic::parity {
namespace {

// Of one part of a case whose weights stand together.
TensorMap part(const TensorMap& weights, const std::string& prefix) {
  TensorMap some;
  for (const auto& [name, tensor] : weights)
    if (name.starts_with(prefix)) some[name.substr(prefix.size())] = tensor;
  return some;
}

}  // namespace

void autoencoder_case(const Case& reference, Report& report) {
  const at::NoGradGuard no_grad;
  const AutoencoderKl net(reference.weights(), reference.name);
  const auto& tolerance = reference.entry.at("tolerance");
  const double scale = reference.config().at("scale_factor");
  const auto compare = [&](const std::string& name, const Tensor& got) {
    report.relmax(name, got, reference.at("out." + name), tolerance.at(name + "_relmax"));
  };
  const Tensor moments = net.encode(reference.at("in.image"));
  compare("encoder_out", net.encoder(reference.at("in.image")));
  compare("moments", moments);
  compare("z_sample", scale * sample_latent(moments, reference.at("in.noise")));
  compare("decoded", net.decode(reference.at("in.z") / scale));
}

void clip_case(const Case& reference, Report& report) {
  const at::NoGradGuard no_grad;
  const std::string origin = reference.name;
  const ClipText net(parse_clip_text_config(reference.config().at("clip"), origin), reference.weights(), origin);
  for (const std::string ids : {"ids_eotpad", "ids_zeropad"})
    report.relmax(ids, net(reference.at("in." + ids)), reference.at("out." + ids + ".last_hidden_state"),
                  reference.entry.at("tolerance").at("relmax"));
}

void tokenizer_case(const Case& reference, Report& report) {
  const ClipTokenizer tokenizer(read_byte_pairs(reference.folder / "bpe_simple_vocab_16e6.txt.gz"));
  for (const auto& row : read_json(reference.folder / (reference.name + ".json"), "reference")) {
    const std::string text = row.at("text");
    const std::vector<int64_t> want = row.at("uvit_env_77_pad_eot");
    report.add(text, tokenizer.encode(text).ids == want ? 0 : 1, 0);
  }
}

void pipeline_case(const Case& reference, Report& report) {
  const at::NoGradGuard no_grad;
  const auto& config = reference.config();
  const auto& tolerance = reference.entry.at("tolerance");
  const TensorMap weights = reference.weights();
  const ClipText clip(parse_clip_text_config(config.at("clip"), "clip"), part(weights, "clip."), "clip");
  const AutoencoderKl autoencoder(part(weights, "ae."), "ae");
  const UVit net = load_uvit(uvit_config(config.at("uvit"), config.at("family")), part(weights, "uvit."));

  const Tensor context = clip(reference.at("in.ids")), empty = clip(reference.at("in.empty_ids"));
  report.relmax("context", context, reference.at("out.context"), tolerance.at("context_relmax"));
  report.relmax("empty context", empty[0], reference.at("out.empty_context"), tolerance.at("context_relmax"));

  const double cfg_scale = 1 + config.at("cfg_scale").get<double>();
  const auto predict = [&](const Tensor& x, const Tensor& time) {
    return guide(net(x, time, {{}, context}), net(x, time, {{}, empty.expand_as(context)}), cfg_scale);
  };
  const Tensor z_init = reference.at("in.z_init");
  report.relmax("eps_first", predict(z_init, at::full({z_init.size(0)}, 1000.0f)), reference.at("out.eps_first"),
                tolerance.at("eps_first_relmax"));

  const auto schedule = make_schedule({.kind = "scaled-linear"});
  const Sampler sampler = find(samplers(), "dpm-solver++", "sampler").value;
  const Tensor z = sampler(make_denoiser(predict, *schedule, "eps"), *schedule, z_init,
                           {.kind = "dpm-solver++", .steps = config.at("steps")}, {});
  report.relmax("z", z, reference.at("out.z"), tolerance.at("z_relmax"));
  const Tensor image = autoencoder.decode(z / config.at("ae").at("scale_factor").get<double>());
  report.relmax("image", image, reference.at("out.image"), tolerance.at("image_relmax"));

  const Tensor levels = (to_uint8(image).to(at::kInt) - reference.at("out.uint8").to(at::kInt)).abs();
  report.add("largest difference in levels", levels.max().item<double>(), 1);
  report.add("share of pixels that differ", (levels > 0).to(at::kDouble).mean().item<double>(), 1e-3);
}

}  // namespace uvic::parity
