// Files as torch.save writes them: zip and legacy, half precision, wrapped, with views; and the original's <step>.ckpt
// folder.
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "core/pickle/pth.h"
#include "tests/parity/case.h"
#include "tests/parity/model.h"

namespace uvic::parity {
namespace {

// The case's tensors whose names start with `prefix`, without it.
TensorMap expected(const Case& reference, const std::string& prefix) {
  TensorMap tensors;
  for (const auto& [name, tensor] : reference.tensors)
    if (name.starts_with(prefix)) tensors[name.substr(prefix.size())] = tensor;
  return tensors;
}

// Files in half precision are expected to hold the rounded values.
void compare(Report& report, const std::string& file, TensorMap got, TensorMap want) {
  for (TensorMap* tensors : {&got, &want})  // tables that no network of ours reads
    std::erase_if(*tensors, [](const auto& entry) { return entry.second.is_complex(); });
  report.add(file + ": tensors", std::abs(static_cast<double>(got.size()) - static_cast<double>(want.size())), 0);
  for (const auto& [name, tensor] : want) {
    const auto found = got.find(name);
    if (found == got.end()) fail("{} lacks '{}'", file, name);
    const auto dtype = found->second.scalar_type();
    const bool rounded = tensor.scalar_type() == at::kFloat && (dtype == at::kHalf || dtype == at::kBFloat16);
    report.exact(file + ": " + name, found->second, rounded ? tensor.to(dtype) : tensor);
  }
}

void compare_wrapped(const Case& reference, Report& report, const fs::path& path) {
  const std::string file = path.filename().string();
  compare(report, file, read_state_dict(path), expected(reference, "out.ema."));
  const PickleValue value = read_pth(path);
  const auto* step = find(value.dict(file), "step");
  report.exact(file + ": step", at::tensor({step->integer("step")}, at::kLong), reference.at("out.step"));
  const auto* model = find(value.dict(file), "model");
  if (!model) return;
  TensorMap tensors;
  for (const auto& [name, tensor] : model->dict("model")) tensors[name.text("a name")] = tensor.tensor("a weight");
  compare(report, file + " model", tensors, expected(reference, "out.nnet."));
}

void compare_folder(const Case& reference, Report& report, const fs::path& folder) {
  compare(report, "nnet.pth", read_state_dict(folder / "nnet.pth"), expected(reference, "out.nnet."));
  compare(report, "nnet_ema.pth", read_state_dict(folder / "nnet_ema.pth"), expected(reference, "out.ema."));
  const Tensor step = at::tensor({read_pth(folder / "step.pth").integer("step.pth")}, at::kLong);
  report.exact("step.pth", step, reference.at("out.step"));
  const PickleValue scheduler = read_pth(folder / "lr_scheduler.pth");
  report.exact("lr_scheduler.pth: last_epoch",
               at::tensor({find(scheduler.dict("lr_scheduler.pth"), "last_epoch")->integer("last_epoch")}, at::kLong),
               reference.at("out.step"));

  TensorMap adam;  // "<index>.exp_avg"
  const PickleValue optimizer = read_pth(folder / "optimizer.pth");
  for (const auto& [index, state] : find(optimizer.dict("optimizer.pth"), "state")->dict("state"))
    for (const auto& [name, tensor] : state.dict("state of a parameter"))
      adam[fmt::format("{}.{}", index.integer("index"), name.text("name"))] =
          name.text("name") == "step" ? tensor.tensor("step").reshape({1}) : tensor.tensor("moment");
  compare(report, "optimizer.pth", adam, expected(reference, "out.adam."));
}

}  // namespace

void checkpoint_case(const Case& reference, Report& report) {
  const fs::path folder = reference.folder / "ckpt";
  std::vector<fs::path> paths(fs::directory_iterator(folder), {});
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    const std::string name = path.filename().string();
    if (name.starts_with("nnet")) compare(report, name, read_state_dict(path), expected(reference, "out.nnet."));
    if (name.starts_with("views")) compare(report, name, read_state_dict(path), expected(reference, "out.view."));
    if (name.starts_with("wrapped")) compare_wrapped(reference, report, path);
  }
  const fs::path state = folder / fmt::format("{}.ckpt", reference.config().at("step").get<int64_t>());
  compare_folder(reference, report, state);

  const auto config = uvit_config(reference.config().at("model"), reference.config().at("family"));
  const double tolerance = reference.entry.at("tolerance").at("forward_relmax");
  for (const std::string which : {"nnet", "ema"}) {
    const UVit net = load_uvit(config, read_state_dict(state / (which == "ema" ? "nnet_ema.pth" : "nnet.pth")));
    report.relmax("y_" + which, net(reference.at("in.x"), reference.at("in.t"), condition_of(reference)),
                  reference.at("out.y_" + which), tolerance);
  }
}

}  // namespace uvic::parity
