// Cases of the network: Cog Attention, whole U-ViTs with gradients, the time embedding.
#include "tests/parity/model.h"

#include <cmath>

#include "core/error.h"
#include "tests/parity/case.h"

namespace uvic::parity {

UVitConfig uvit_config(const nlohmann::json& model, const std::string& family) {
  expect_options(model,
                 {"img_size", "patch_size", "in_chans", "embed_dim", "depth", "num_heads", "mlp_ratio", "qkv_bias",
                  "mlp_time_embed", "conv", "skip", "num_classes", "clip_dim", "num_clip_token", "use_checkpoint"});
  UVitConfig config;
  config.image_size = model.at("img_size");
  config.patch = model.at("patch_size");
  config.channels = model.at("in_chans");
  config.dim = model.at("embed_dim");
  config.depth = model.at("depth");
  config.heads = model.at("num_heads");
  config.mlp_ratio = model.value("mlp_ratio", 4.0);
  config.qkv_bias = model.value("qkv_bias", false);
  config.mlp_time_embed = model.value("mlp_time_embed", false);
  config.conv = model.value("conv", true);
  config.skip = model.value("skip", true);
  // The original counts the null class, too.
  if (const int64_t rows = std::max<int64_t>(0, model.value("num_classes", 0)); rows > 0) config.classes = rows - 1;
  if (family.ends_with("t2i")) {
    config.context_dim = model.value("clip_dim", 768);
    config.context_tokens = model.value("num_clip_token", 77);
  }
  config.attention = family.starts_with("uvic") ? "cog" : "softmax";
  config.end_attention = "softmax";
  return config;
}

UVit load_uvit(const UVitConfig& config, const TensorMap& weights) {
  UVit net(config);
  load_into(net.parameters(), weights, "the case's weights");
  return net;
}

Condition condition_of(const Case& reference) {
  Condition condition;
  if (reference.has("in.y")) condition.label = reference.at("in.y");
  if (reference.has("in.context")) condition.context = reference.at("in.context");
  return condition;
}

namespace {

double l2(const Tensor& x) {
  return at::linalg_vector_norm(x.to(at::kDouble)).item<double>();
}

}  // namespace

void cog_case(const Case& reference, Report& report) {
  for (const auto& sub : reference.config().at("subcases")) {
    const std::string name = sub.at("name");
    const auto input = [&](const char* which) { return reference.at(fmt::format("in.{}.{}", name, which)).clone(); };
    const Tensor q = input("q").requires_grad_(), k = input("k").requires_grad_(), v = input("v").requires_grad_();
    const Qkv qkv{q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)};  // [B, H, L, D] -> [B, L, H, D]
    const AttendOptions options{
        .scale = sub.at("scale"),
        .keys = sub.at("causal").get<bool>() ? causal_keys(q.size(2), k.size(2)) : VisibleKeys()};
    const AttentionKind& cog = find(attention_kinds(), "cog", "attention kind").value;
    const Tensor out = fused_attention(cog, qkv, options).transpose(1, 2);
    out.backward(input("dO"));
    const double tolerance = sub.at("tol_relmax_grad");
    report.relmax(name + " O", out, reference.at("out." + name + ".O"), sub.at("tol_relmax_O"));
    report.relmax(name + " dq", q.grad(), reference.at("out." + name + ".dq"), tolerance);
    report.relmax(name + " dk", k.grad(), reference.at("out." + name + ".dk"), tolerance);
    report.relmax(name + " dv", v.grad(), reference.at("out." + name + ".dv"), tolerance);
  }
}

void compare_gradients(const Parameters& parameters, const Case& reference, Report& report) {
  const auto& tolerance = reference.entry.at("tolerance");
  for (const auto& [name, parameter, role] : parameters) {
    const Tensor gradient = parameter.grad().defined() ? parameter.grad() : at::zeros_like(parameter);
    const double want_norm = reference.at("out.gradnorm." + name).item<double>();
    const double scale = want_norm * l2(parameter);
    // A bias of the keys has no gradient under softmax (its rounding noise says nothing), so tiny norms compare
    // absolutely.
    report.add("gradnorm " + name, std::abs(l2(gradient) - want_norm) / std::max(want_norm, 1e-6),
               tolerance.at("gradnorm_rel"));
    if (scale > 0) {
      const double dot = (gradient.to(at::kDouble) * parameter.to(at::kDouble)).sum().item<double>();
      report.add("graddot " + name, std::abs(dot - reference.at("out.graddot." + name).item<double>()) / scale,
                 tolerance.at("graddot_abs_over_(norm_grad*norm_param)"));
    }
    if (reference.has("out.grad." + name))
      report.relmax("grad " + name, gradient, reference.at("out.grad." + name), tolerance.at("grad_relmax"));
  }
}

namespace {

void compare_network(UVitConfig config, const Case& reference, Report& report) {
  const auto& tolerance = reference.entry.at("tolerance");
  const Condition condition = condition_of(reference);

  for (const bool checkpointing : {false, true}) {
    config.checkpointing = checkpointing;
    UVit net = load_uvit(config, reference.weights());
    net.set_requires_grad(true);
    const auto observe = [&](const std::string& name, const Tensor& value) {
      if (!reference.has("out." + name)) return;
      // The original embeds time in float32, where one rounding of a frequency (which depends on the machine's exp) is
      // 6e-5 in the angle of t = 1000; these two hold the embedding itself.
      const bool holds_embedding = (name == "time_token" || name == "tokens_plus_pos") && !config.mlp_time_embed;
      const double limit = holds_embedding ? 1e-4 : tolerance.at("y_relmax").get<double>();
      report.relmax(name, value, reference.at("out." + name), limit);
    };
    const Tensor y = net.forward(reference.at("in.x"), reference.at("in.t"), condition, observe);
    report.relmax("y", y, reference.at("out.y"), tolerance.at("y_relmax"));
    (y * reference.at("in.w")).sum().backward();
    compare_gradients(net.parameters(), reference, report);
  }
}

}  // namespace

void uvit_case(const Case& reference, Report& report) {
  compare_network(uvit_config(reference.config().at("model"), reference.config().at("family")), reference, report);
}

void fam_image_case(const Case& reference, Report& report) {
  const auto& config = reference.config();
  expect_options(config, {"family", "model", "block", "memory", "fam", "mode", "whole_gradients"});
  expect_value(config, "mode", {"past", "both"});
  UVitConfig model = uvit_config(config.at("model"), config.at("family"));
  model.block = config.at("block");
  model.segments = config.at("memory");
  model.window = config.at("mode");
  const int64_t fam = config.at("fam");
  model.memory = fam > 0 ? "fam" : "bswa";
  if (fam > 0) model.fam_length = fam;
  compare_network(model, reference, report);
}

void timestep_patchify_case(const Case& reference, Report& report) {
  const double tolerance = reference.entry.at("tolerance").at("temb_abs");
  for (const int64_t dim : reference.config().at("dims"))
    report.absmax(fmt::format("temb_{}", dim), timestep_embedding(reference.at("in.t"), dim),
                  reference.at(fmt::format("out.temb_{}", dim)), tolerance);
  const Tensor& integer_times = reference.at("out.temb_long_input");
  report.absmax("temb of integers", timestep_embedding(reference.at("in.n"), integer_times.size(1)), integer_times,
                tolerance);
  const int64_t patch = reference.config().at("patch"), channels = reference.config().at("channels");
  report.exact("unpatchify", unpatchify(reference.at("in.seq"), patch, channels), reference.at("out.unpatchify"));
  report.exact("unpatchify inverts patchify", unpatchify(reference.at("out.patchify"), patch, channels),
               reference.at("in.img"));
}

}  // namespace uvic::parity
