// uvic-parity DIR: runs every case of a reference folder that it knows and prints one line each.
#include <cstdio>
#include <limits>
#include <map>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "tests/parity/case.h"

namespace uvic::parity {
namespace {

const std::map<std::string, RunCase> kKinds = {
    {"cog", cog_case},
    {"uvit", uvit_case},
    {"bswa", bswa_case},
    {"cogformer", cogformer_case},
    {"fam", fam_case},
    {"fam_image", fam_image_case},
    {"small", timestep_patchify_case},
    {"ckpt", checkpoint_case},
    {"data", data_case},
    {"steps", steps_case},
    {"loss", loss_case},
    {"sched", sd_schedule_case},
    {"solver", solver_case},
    {"vpsde", vpsde_case},
    {"train", train_case},
    {"frechet", frechet_case},
    {"inception", inception_case},
    {"efficientnet", efficientnet_case},
    {"metrics", metrics_case},
    {"ae", autoencoder_case},
    {"clip", clip_case},
    {"tokenizer", tokenizer_case},
    {"pipe", pipeline_case},
};

enum class Outcome { kOk, kUnknown, kFailed };

// Prints the case's line; the row closest to (or furthest beyond) its tolerance stands for the case.
Outcome run(const nlohmann::json& entry, const fs::path& folder) {
  const std::string name = entry.at("name"), kind = entry.at("kind");
  const auto known = kKinds.find(kind);
  if (known == kKinds.end()) {
    fmt::print("{:34} unknown (kind '{}')\n", name, kind);
    return Outcome::kUnknown;
  }
  Case reference{name, entry, folder, {}};
  Report report;
  try {
    const fs::path file = folder / (name + ".safetensors");
    if (fs::exists(file)) reference.tensors = read_safetensors(file).tensors;
    known->second(reference, report);
    if (report.rows().empty()) throw std::runtime_error("nothing was compared");
  } catch (const c10::Error& error) {
    fmt::print("{:34} FAIL    {}\n", name, error.what_without_backtrace());
    return Outcome::kFailed;
  } catch (const std::exception& error) {
    fmt::print("{:34} FAIL    {}\n", name, error.what());
    return Outcome::kFailed;
  }
  const auto badness = [](const Report::Row& row) {
    if (!(row.error <= row.tolerance)) return std::numeric_limits<double>::infinity();
    return row.tolerance > 0 ? row.error / row.tolerance : 0.0;
  };
  const Report::Row* worst = &report.rows().front();
  size_t failed = 0;
  for (const auto& row : report.rows()) {
    failed += !(row.error <= row.tolerance);
    if (badness(row) > badness(*worst)) worst = &row;
  }
  fmt::print("{:34} {:7} error {:.2e} of {:.2e} ({}; {} comparisons)\n", name, failed ? "FAIL" : "ok", worst->error,
             worst->tolerance, worst->what, report.rows().size());
  for (const auto& row : report.rows())
    if (!(row.error <= row.tolerance)) fmt::print("    {}: {:.3e} > {:.3e}\n", row.what, row.error, row.tolerance);
  return failed == 0 ? Outcome::kOk : Outcome::kFailed;
}

}  // namespace
}  // namespace uvic::parity

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: uvic-parity DIR [CASE...]    DIR holds a manifest.json and its tensors\n");
    return 2;
  }
  try {
    const uvic::fs::path folder = argv[1];
    const std::set<std::string> only(argv + 2, argv + argc);
    const auto manifest = nlohmann::json::parse(uvic::read_file(folder / "manifest.json", "reference manifest"));
    int failed = 0, unknown = 0, ran = 0;
    for (const auto& entry : manifest.at("cases")) {
      if (!only.empty() && !only.count(entry.at("name"))) continue;
      ++ran;
      const auto outcome = uvic::parity::run(entry, folder);
      failed += outcome == uvic::parity::Outcome::kFailed;
      unknown += outcome == uvic::parity::Outcome::kUnknown;
      std::fflush(stdout);
    }
    if (ran == 0) uvic::fail("no case to run in {}", folder.string());
    fmt::print("{} cases, {} unknown, {} failed\n", ran, unknown, failed);
    return failed == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
