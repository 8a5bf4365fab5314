// Cases "frechet", "inception", "efficientnet" and "metrics".
#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "core/pickle/pth.h"
#include "eval/efficientnet.h"
#include "eval/frechet.h"
#include "eval/inception.h"
#include "eval/inception_input.h"
#include "eval/metrics/kinds.h"
#include "eval/metrics/numpy_random.h"
#include "tests/eval/inception_weights.h"
#include "tests/parity/case.h"

namespace uvic::parity {
namespace {

Gaussian fitted(const Tensor& features) {
  FeatureStats stats;
  stats.add(features);
  return stats.fit();
}

// By the fill formula of the manifest.
TensorMap formula_weights(const nlohmann::json& entry) {
  const uint64_t base = entry.at("config").at("base");
  TensorMap weights;
  for (const auto& [name, facts] : entry.at("keys_sum_first2").items()) {
    const std::vector<int64_t> shape = facts.at("shape");
    weights[name] = formula_tensor(name, facts.at("i"), shape, base);
  }
  return weights;
}

// The numbers between `before` and `after` in the names of the case's tensors.
std::vector<int64_t> numbers_in(const Case& reference, std::string_view before, std::string_view after) {
  std::vector<int64_t> numbers;
  for (const auto& [name, tensor] : reference.tensors)
    if (name.starts_with(before) && name.ends_with(after))
      numbers.push_back(std::stoll(name.substr(before.size(), name.size() - before.size() - after.size())));
  if (numbers.empty()) fail("the case has no '{}N{}'", before, after);
  return numbers;
}

}  // namespace

void frechet_case(const Case& reference, Report& report) {
  for (const auto& subcase : reference.config().at("subcases")) {
    const std::string name = subcase.at("name"), in = "in." + name + ".", out = "out." + name + ".";
    const bool features = subcase.at("form") == "features";
    Gaussian a, b;
    if (features) {
      a = fitted(reference.at(in + "x1"));
      b = fitted(reference.at(in + "x2"));
      for (const auto& [key, got] : TensorMap{{"mu1", a.mu}, {"sigma1", a.sigma}, {"mu2", b.mu}, {"sigma2", b.sigma}})
        if (reference.has(out + key)) report.relmax(name + " " + key, got, reference.at(out + key), 1e-12);
    } else {
      a = {reference.at(in + "mu1"), reference.at(in + "sigma1"), 0};
      b = {reference.at(in + "mu2"), reference.at(in + "sigma2"), 0};
    }
    const double scale = std::max(1.0, (a.sigma.trace() + b.sigma.trace()).item<double>());
    const double want = reference.at(out + "fid_reference").item<double>();
    report.add(name, std::abs(frechet_distance(a, b) - want), 1e-7 * scale);
    if (!features) continue;
    // As read from a file, where nobody says how many samples there were.
    a.n = b.n = 0;
    report.add(name + " from moments alone", std::abs(frechet_distance(a, b) - want), 1e-6 * scale);
  }
}

void inception_case(const Case& reference, Report& report) {
  const at::NoGradGuard no_grad;
  const Inception net(formula_weights(reference.entry), "formula");
  const auto& tolerance = reference.entry.at("tolerance");
  for (const auto& image : reference.config().at("images")) {
    const std::string name = image, out = "out." + name + ".";
    const Tensor resized = Inception::resize(reference.at("in." + name).permute({0, 3, 1, 2}));
    if (reference.has(out + "resized299_bilinear_first"))
      report.absmax(name + " resized", resized[0], reference.at(out + "resized299_bilinear_first"),
                    tolerance.at("resize_bilinear_abs"));
    if (reference.has(out + "resized299_cleanfid_bicubic_hwc_first")) {
      const Tensor clean =
          find(resize_modes(), "clean", "mode").value(reference.at("in." + name).permute({0, 3, 1, 2}));
      report.absmax(name + " resized by clean-fid", (clean[0] * 128 + 128).permute({1, 2, 0}),
                    reference.at(out + "resized299_cleanfid_bicubic_hwc_first"), tolerance.at("resize_bicubic_abs"));
    }
    const auto pools = net.pools(resized * 2 - 1);
    const char* kPools[] = {"pool64", "pool192", "pool768", "pool2048"};
    for (size_t i = 0; i < pools.size(); ++i)
      report.relmax(name + " " + kPools[i], pools[i], reference.at(out + kPools[i]), tolerance.at("pool_relmax"));
    report.relmax(name + " logits", net.logits(pools[3], true), reference.at(out + "logits"),
                  tolerance.at("logits_relmax"));
    report.relmax(name + " logits without bias", net.logits(pools[3], false), reference.at(out + "logits_unbiased"),
                  tolerance.at("logits_relmax"));
  }
}

void efficientnet_case(const Case& reference, Report& report) {
  const at::NoGradGuard no_grad;
  const fs::path file = cache_folder() / "weights" / "efficientnet-lite0-57934424.pth";
  const EfficientNetLite0 net(read_weights(file).tensors, file.string());
  const auto& tolerance = reference.entry.at("tolerance");
  const Tensor resized = EfficientNetLite0::resize(reference.at("in.images"));
  const Tensor& want = reference.at("out.resized");
  report.absmax("resized", resized.narrow(0, 0, want.size(0)), want, 1);
  const Tensor features = net.features(resized);
  report.relmax("features", features, reference.at("out.features"), tolerance.at("features_relmax"));
  report.relmax("logits", net.logits(features), reference.at("out.logits"), tolerance.at("logits_relmax"));
}

void metrics_case(const Case& reference, Report& report) {
  constexpr double kRelative = 1e-5;  // "rel 1e-5" of the manifest
  const auto value = [&](const std::string& key) { return reference.at("out." + key).item<double>(); };
  const auto near = [&](const std::string& key, double got) {
    report.add(key, std::abs(got - value(key)), kRelative * std::abs(value(key)));
  };
  const Tensor x = reference.at("in.kid.x"), y = reference.at("in.kid.y");
  const int64_t m = std::min(x.size(0), y.size(0));
  near("kid.full_first_m", kernel_distance(x.narrow(0, 0, m), y.narrow(0, 0, m)));
  near("kid.clean_fid_full_first_m", kernel_distance(x.narrow(0, 0, m), y.narrow(0, 0, m)));
  std::vector<double> subsets;
  for (int64_t i = 0; i < reference.at("in.kid.idx_x").size(0); ++i)
    subsets.push_back(kernel_distance(x.index_select(0, reference.at("in.kid.idx_x")[i]),
                                      y.index_select(0, reference.at("in.kid.idx_y")[i])));
  report.relmax("kid.subset_values", at::tensor(subsets, at::kDouble), reference.at("out.kid.subset_values"),
                kRelative);
  near("kid.subset_mean", mean_std(subsets).mean);
  near("kid.subset_std", mean_std(subsets).std);

  const Tensor logits = reference.at("in.isc.logits");
  const auto score = [&](const std::string& key, const MeanStd& got) {
    near(key + ".mean", got.mean);
    // One part has no deviation.
    report.add(key + ".std", std::abs(got.std - value(key + ".std")), kRelative * std::max(1e-5, value(key + ".std")));
  };
  for (const int64_t splits : numbers_in(reference, "out.isc.splits", ".mean"))
    score(fmt::format("isc.splits{}", splits), inception_score(logits, splits));
  const int64_t splits = reference.config().at("isc_splits");
  const Tensor order = NumpyRandom(2020).permutation(logits.size(0));
  report.exact("isc.perm_rng2020", order, reference.at("out.isc.perm_rng2020"));
  score("isc.torch_fidelity_default_shuffle2020", inception_score(logits.index_select(0, order), splits));

  for (const int64_t k : numbers_in(reference, "out.prc.k", ".precision_exact")) {
    const std::string key = fmt::format("prc.k{}.", k);
    const Prdc got = prdc(reference.at("in.prc.generated"), reference.at("in.prc.real"), k, k);
    report.add(key + "precision", std::abs(got.precision.value - value(key + "precision_exact")), 0);
    report.add(key + "recall", std::abs(got.recall.value - value(key + "recall_exact")), 0);
    near(key + "density", got.density.value);
    near(key + "coverage", got.coverage.value);
  }
}

}  // namespace uvic::parity
