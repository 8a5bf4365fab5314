// Cases of the language model and of block sliding window attention.
#include "core/pickle/pth.h"
#include "lm/cogformer.h"
#include "lm/rotary.h"
#include "tests/parity/case.h"
#include "tests/parity/model.h"
#include "transformer/lora.h"

namespace uvic::parity {
namespace {

VisibleKeys window_of(const nlohmann::json& sub, int64_t length) {
  const int64_t block = sub.at("block"), segments = sub.at("memory"), extras = sub.at("extras");
  if (sub.at("mode") == "causal") return block_window_keys(length, block, segments);
  return block_window_keys(length, block, segments, extras, sub.at("mode") == "both");
}

// As the keys and values of other blocks let no gradient through.
Tensor attend_block_by_block(const AttentionKind& kind, const Qkv& in, const AttendOptions& options, int64_t block) {
  const VisibleKeys& keys = options.keys;
  std::vector<Tensor> out;
  for (int64_t begin = 0; begin < in.q.size(1); begin += block) {
    const int64_t size = std::min(block, in.q.size(1) - begin);
    const auto with_own = [&](const Tensor& x) {
      return at::cat({x.narrow(1, 0, begin).detach(), x.narrow(1, begin, size)}, 1);
    };
    const auto own = [&](const Tensor& ends) { return ends.narrow(1, begin, size); };
    out.push_back(
        fused_attention(kind, {in.q.narrow(1, begin, size), with_own(in.k), with_own(in.v)},
                        {.scale = options.scale, .keys = {.first = own(keys.first), .last = own(keys.last)}}));
  }
  return at::cat(out, 1);
}

CogformerConfig sizes(const nlohmann::json& config) {
  const auto& model = config.at("model");
  return {.vocabulary = model.at("vocab_size"),
          .layers = model.at("n_layers"),
          .dim = model.at("dim"),
          .heads = model.at("n_heads"),
          .head_dim = model.at("head_dim"),
          .hidden = model.at("hidden_dim"),
          .attention = config.at("attention_per_layer"),
          .norm_epsilon = model.at("norm_eps")};
}

CogformerConfig cogformer_config(const nlohmann::json& config) {
  const auto& model = config.at("model");
  expect_options(model, {"vocab_size", "n_layers", "max_seq_length", "dim", "n_heads", "head_dim", "hidden_dim",
                         "norm_eps", "attn_type", "shared_expert_recipe"});
  expect_value(model, "attn_type", {"np", "vanilla"});
  expect_value(model, "shared_expert_recipe", {1, nlohmann::json::array({1})});
  const CogformerConfig all = sizes(config);
  const std::string inner = model.at("attn_type") == "np" ? "cog" : "softmax";
  TORCH_CHECK(all.attention == inner_attention(inner, all.layers), "attn_type and attention_per_layer differ");
  return all;
}

// What the last `count` of the tokens see.
VisibleKeys of_last(const VisibleKeys& keys, int64_t count) {
  const int64_t before = keys.first.size(1) - count;
  return {.first = keys.first.narrow(1, before, count), .last = keys.last.narrow(1, before, count)};
}

void compare_cached(const Cogformer& net, const Case& reference, Report& report) {
  const at::NoGradGuard no_grad;
  const Tensor &tokens = reference.at("in.tokens"), begins = reference.at("in.bos").to(at::kBool);
  const auto& tolerance = reference.entry.at("tolerance");
  Cogformer::Cache cache;
  std::vector<Tensor> logits;
  for (const int64_t count : reference.config().at("cache_chunks")) {
    const int64_t all = cache.length + count;
    logits.push_back(
        net.next(tokens.narrow(1, all - count, count), of_last(document_keys(begins.narrow(1, 0, all)), count), cache));
  }
  report.relmax("logits_cached", at::cat(logits, 1), reference.at("out.logits_cached"), tolerance.at("logits_relmax"));
  for (size_t i = 0; i < cache.keys.size(); ++i) {
    const auto compare = [&](const std::string& name, const Tensor& got) {
      report.relmax(name, got, reference.at("out." + name), tolerance.at("hidden_relmax"));
    };
    compare(fmt::format("cache_keys{}", i), cache.keys[i].narrow(1, 0, cache.length));
    compare(fmt::format("cache_values{}", i), cache.values[i].narrow(1, 0, cache.length));
  }
  // Greedily behind a prompt, whose last document goes on.
  const int64_t prompt = reference.config().at("prompt_tokens"), more = reference.config().at("new_tokens");
  const VisibleKeys of_prompt = document_keys(begins.narrow(1, 0, prompt));
  const Tensor first = of_prompt.first.narrow(1, prompt - 1, 1);
  cache = {};
  Tensor last = net.next(tokens.narrow(1, 0, prompt), of_prompt, cache).select(1, prompt - 1);
  std::vector<Tensor> written;
  for (int64_t i = 0; i < more; ++i) {
    written.push_back(last.argmax(-1, /*keepdim=*/true));
    const VisibleKeys sees{.first = first, .last = at::full_like(first, prompt + i + 1)};
    last = net.next(written.back(), sees, cache).select(1, 0);
  }
  report.exact("generated", at::cat(written, 1), reference.at("out.generated"));
}

}  // namespace

void bswa_case(const Case& reference, Report& report) {
  for (const auto& sub : reference.config().at("subcases")) {
    const std::string name = sub.at("name");
    const auto leaf = [&](const char* which) {
      return reference.at(fmt::format("in.{}.{}", name, which)).clone().requires_grad_();
    };
    const Tensor q = leaf("q"), k = leaf("k"), v = leaf("v");
    const Qkv in{q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)};
    const AttentionKind& kind = find(attention_kinds(), sub.at("attention").get<std::string>(), "attention kind").value;
    const AttendOptions options{.scale = sub.at("scale"), .keys = window_of(sub, q.size(2))};
    const bool stop = sub.at("stop_gradient");
    const Tensor out =
        (stop ? attend_block_by_block(kind, in, options, sub.at("block")) : fused_attention(kind, in, options))
            .transpose(1, 2);
    out.backward(reference.at(fmt::format("in.{}.dO", name)));
    const auto compare = [&](const char* what, const Tensor& got, const char* tolerance) {
      report.relmax(name + " " + what, got, reference.at(fmt::format("out.{}.{}", name, what)), sub.at(tolerance));
    };
    compare("O", out, "tol_relmax_O");
    compare("dq", q.grad(), "tol_relmax_grad");
    compare("dk", k.grad(), "tol_relmax_grad");
    compare("dv", v.grad(), "tol_relmax_grad");
  }
}

void fam_case(const Case& reference, Report& report) {
  const auto &config = reference.config(), &tolerance = reference.entry.at("tolerance");
  expect_options(config, {"model", "attention_per_layer", "block", "memory", "fam", "stop_gradient", "carried",
                          "stream_chunks", "whole_gradients", "lora"});
  CogformerConfig sizes_and_memory = sizes(config);
  sizes_and_memory.memory = {.block = config.at("block"),
                             .segments = config.at("memory"),
                             .fam_length = config.at("fam"),
                             .stop_gradient = config.at("stop_gradient")};
  const Tensor& tokens = reference.at("in.tokens");
  Cogformer net(sizes_and_memory);
  TensorMap weights = reference.weights(), adapters;
  for (auto entry = weights.begin(); entry != weights.end();)
    if (entry->first.find(".lora_") != std::string::npos)
      adapters.insert(weights.extract(entry++));
    else
      ++entry;
  load_into(net.parameters(), weights, reference.name);
  std::vector<Tensor> carried;
  for (int64_t i = 0; config.at("carried").get<bool>() && i < sizes_and_memory.layers; ++i)
    carried.push_back(reference.at(fmt::format("in.fam.{}", i)));
  const auto begin = [&] { return carried.empty() ? net.begin(tokens.size(0)) : net.begin(tokens.size(0), carried); };

  Parameters trained;
  if (config.contains("lora")) {
    Cogformer::State base = begin();
    report.relmax("logits_base", net.next(tokens, base), reference.at("out.logits_base"),
                  tolerance.at("logits_relmax"));
    const double alpha = config.at("lora").at("alpha");
    net.replace([&](const std::string& name, const Tensor& tensor, Role role) {
      if (role != Role::kBlockMatrix) return tensor;
      const auto adapter = [&](const char* part) {
        const std::string full = name + part;
        Tensor leaf = adapters.at(full).clone().requires_grad_();
        trained.push_back({full, leaf, Role::kBlockMatrix});
        return leaf;
      };
      const Tensor a = adapter(".lora_a"), merged = with_lora(tensor, a, adapter(".lora_b"), alpha);
      if (reference.has("out.merged." + name))
        report.relmax("merged " + name, merged.detach(), reference.at("out.merged." + name), 1e-6);
      return merged;
    });
    for (const Parameter& parameter : net.parameters())
      if (parameter.name == "fam_embedding") trained.push_back(parameter);
  } else {
    trained = net.parameters();
  }
  for (const Parameter& parameter : trained) Tensor(parameter.tensor).requires_grad_();

  Cogformer::State stream = begin();
  const auto compare = [&](const std::string& name, const Tensor& value) {
    if (reference.has("out." + name))
      report.relmax(name, value, reference.at("out." + name), tolerance.at("logits_relmax"));
  };
  for (size_t i = 0; i < stream.layers.size(); ++i)
    if (stream.layers[i].fam.defined()) compare(fmt::format("fam_init.{}", i), stream.layers[i].fam);
  const Tensor logits = net.forward(tokens, stream, compare);
  report.relmax("logits", logits, reference.at("out.logits"), tolerance.at("logits_relmax"));
  const Tensor loss = next_token_loss(logits, tokens);
  const double want = reference.at("out.loss").item<double>();
  report.add("loss", std::abs(loss.item<double>() - want) / want, tolerance.at("loss_rel"));
  loss.backward();
  compare_gradients(trained, reference, report);

  const at::NoGradGuard no_grad;
  Cogformer::State pieces = begin();
  std::vector<Tensor> streamed;
  int64_t at = 0;
  for (const int64_t count : config.at("stream_chunks")) {
    streamed.push_back(net.next(tokens.narrow(1, at, count), pieces));
    at += count;
  }
  report.relmax("logits_streamed", at::cat(streamed, 1), reference.at("out.logits_streamed"),
                tolerance.at("logits_relmax"));
}

void cogformer_case(const Case& reference, Report& report) {
  const auto& tolerance = reference.entry.at("tolerance");
  const Tensor &tokens = reference.at("in.tokens"), begins = reference.at("in.bos").to(at::kBool);
  const int64_t length = tokens.size(1);
  Cogformer net(cogformer_config(reference.config()));
  load_into(net.parameters(), reference.weights(), reference.name);
  // The same weights as the original saved them, among its buffers and settings.
  const auto files = reference.entry.value("extra_files_sha256", nlohmann::json::object());
  for (const auto& [file, hash] : files.items()) {
    Cogformer saved(net.config(), 1);
    load_into(saved.parameters(), without_buffers(read_weights(reference.folder / file).tensors), file);
    const TensorMap wanted = to_map(net.parameters());
    for (const auto& [name, parameter, role] : saved.parameters())
      report.exact(file + " " + name, parameter, wanted.at(name));
  }
  for (const auto& [name, parameter, role] : net.parameters()) Tensor(parameter).requires_grad_();

  const VisibleKeys visible = document_keys(begins);
  const Tensor mask = dense_mask(visible, length, at::kCPU).unsqueeze(1);
  report.exact("mask", mask.to(at::kByte), reference.at("out.mask"));
  const auto observe = [&](const std::string& name, const Tensor& value) {
    report.relmax(name, value, reference.at("out." + name), tolerance.at("hidden_relmax"));
  };
  const Tensor logits = net.forward(tokens, visible, nullptr, observe);
  report.relmax("logits", logits, reference.at("out.logits"), tolerance.at("logits_relmax"));
  const auto compare_loss = [&](const std::string& name, const Tensor& loss) {
    const double want = reference.at("out." + name).item<double>();
    report.add(name, std::abs(loss.item<double>() - want) / want, tolerance.at("loss_rel"));
  };
  const Tensor loss = next_token_loss(logits, tokens);
  compare_loss("loss", loss);
  compare_loss("loss_skip_bos", next_token_loss(logits, tokens, begins.logical_not()));
  loss.backward();
  compare_gradients(net.parameters(), reference, report);
  if (reference.has("out.freqs_cis_real")) {
    const Tensor& cos = reference.at("out.freqs_cis_real");
    const Rotation table = rotation(0, cos.size(0), 2 * cos.size(1), at::TensorOptions(at::kFloat));
    // The original's angles are float32: at position 79 a rounding is 4e-6.
    report.absmax("freqs_cis_real", table.cos, cos, 1e-5);
    report.absmax("freqs_cis_imag", table.sin, reference.at("out.freqs_cis_imag"), 1e-5);
  }
  if (reference.config().contains("cache_chunks")) compare_cached(net, reference, report);
}

}  // namespace uvic::parity
