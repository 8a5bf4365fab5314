// The cases of uvic-parity on references that tests/parity/reference does not have, whose answers follow without the
// originals.
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tests/parity/case.h"

namespace uvic::parity {
namespace {

using nlohmann::json;

const std::filesystem::path kReference = std::filesystem::path(UVIC_TEST_DATA) / "../parity/reference";

Report run(RunCase run_case, const json& config, TensorMap tensors) {
  const Case reference{"case", json{{"config", config}, {"tolerance", json::object()}}, {}, std::move(tensors)};
  Report report;
  run_case(reference, report);
  return report;
}

void expect_met(const Report& report) {
  EXPECT_FALSE(report.rows().empty());
  for (const auto& row : report.rows()) EXPECT_LE(row.error, row.tolerance) << row.what;
}

// With one key its weight is the sign of the score, so queries and keys have no gradient.
TEST(Parity, GradientOfZeroIsComparedAbsolutely) {
  const Tensor q = at::tensor({0.5f, -1.f, 2.f, 0.3f}).view({1, 1, 1, 4}), k = q * 0.7 + 0.1, v = k + 3, d = q - 1;
  ASSERT_GT((q * k).sum().item<float>(), 0);
  const json config{
      {"subcases",
       {{{"name", "one"}, {"scale", 0.5}, {"causal", false}, {"tol_relmax_O", 1e-6}, {"tol_relmax_grad", 1e-6}}}}};
  TensorMap tensors{{"in.one.q", q},
                    {"in.one.k", k},
                    {"in.one.v", v},
                    {"in.one.dO", d},
                    {"out.one.O", v},
                    {"out.one.dv", d},
                    {"out.one.dq", at::zeros_like(q)},
                    {"out.one.dk", at::zeros_like(q)}};
  expect_met(run(cog_case, config, tensors));
  tensors["in.one.k"] = -k;
  tensors["out.one.O"] = -v;
  tensors["out.one.dv"] = -d;
  expect_met(run(cog_case, config, tensors));

  Report wrong;
  wrong.relmax("zero", at::tensor({1e-3}), at::zeros({1}), 1e-5);
  EXPECT_GT(wrong.rows()[0].error, wrong.rows()[0].tolerance);
}

// The Inception Score of one part does not depend on the order of the images.
TEST(Parity, InceptionScoreOfAnyNumberOfSplits) {
  TensorMap tensors = read_safetensors(kReference / "metrics_kid_isc_prc.safetensors").tensors;
  for (const std::string of : {".mean", ".std"}) {
    tensors.erase("out.isc.splits5" + of);
    tensors["out.isc.torch_fidelity_default_shuffle2020" + of] = tensors.at("out.isc.splits1" + of);
  }
  expect_met(run(metrics_case, {{"isc_splits", 1}}, tensors));
}

TEST(Parity, AnUnknownOptionIsNamed) {
  const auto expect_problem = [](const json& changes, const std::string& text) {
    json solver{{"name", "s"}, {"algo", "uvit_dpmpp_fast"}, {"steps", 6}, {"cond", {{"a", 0.8}, {"b", 0.1}}}};
    solver.update(changes);
    try {
      run(solver_case, {{"subcases", json::array({solver})}}, {{"in.s.x_T", at::ones({1, 2})}});
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
      return;
    }
    ADD_FAILURE() << changes.dump();
  };
  expect_problem({{"order", 2}}, "unknown option 'order' = 2: known are [3]");
  expect_problem({{"method", "adaptive"}, {"order", 3}}, "unknown option 'method'");
  expect_problem({{"skip_type", "time_quadratic"}}, "unknown option 'skip_type'");
  expect_problem({{"denoise_to_zero", true}}, "unknown option 'denoise_to_zero'");
  expect_problem({{"algo", "unipc"}}, "unknown option 'algo'");
  expect_problem({{"order", 3}}, "no tensor 'out.s.x0'");  // known, so the numbers are looked for
}

}  // namespace
}  // namespace uvic::parity
