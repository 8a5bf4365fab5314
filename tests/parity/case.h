// One case of a reference folder (its manifest.json describes the schema) and the report of comparing against it.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/formats/safetensors.h"
#include "core/tensor.h"

namespace uvic::parity {

struct Case {
  std::string name;
  nlohmann::json entry;          // the case's object in manifest.json: kind, config, tolerance, ...
  std::filesystem::path folder;  // of the manifest
  TensorMap tensors;             // in.* and out.* of <name>.safetensors (empty if the case has no such file)

  const nlohmann::json& config() const { return entry.at("config"); }
  const Tensor& at(const std::string& key) const;  // Error if the case has no such tensor
  bool has(const std::string& key) const { return tensors.count(key) > 0; }
  TensorMap weights() const;  // <name>.weights.safetensors
};

// Error "unknown option" if the object has other keys than these, or a key (which may be missing) none of these values:
// what is not known would otherwise be compared with the numbers of something else.
void expect_options(const nlohmann::json& config, std::initializer_list<std::string_view> keys);
void expect_value(const nlohmann::json& config, const std::string& key, const nlohmann::json& values);

// Collects comparisons; the case passes if every error is within its tolerance.
class Report {
 public:
  // max|got - want| / max|want| (max|got| itself if want is all zero), computed in float64. Shapes must agree; NaN
  // fails.
  void relmax(const std::string& what, const Tensor& got, const Tensor& want, double tolerance);
  void absmax(const std::string& what, const Tensor& got, const Tensor& want, double tolerance);
  void exact(const std::string& what, const Tensor& got, const Tensor& want);  // bit for bit, dtype too
  void add(const std::string& what, double error, double tolerance);

  struct Row {
    std::string what;
    double error, tolerance;
  };
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::vector<Row> rows_;
};

// A kind of case. Throws (any std::exception) if the case cannot be run: that is a FAIL.
using RunCase = void (*)(const Case&, Report&);

void cog_case(const Case&, Report&);                // kind "cog"
void uvit_case(const Case&, Report&);               // "uvit"
void bswa_case(const Case&, Report&);               // "bswa"
void fam_case(const Case&, Report&);                // "fam"
void fam_image_case(const Case&, Report&);          // "fam_image"
void cogformer_case(const Case&, Report&);          // "cogformer"
void timestep_patchify_case(const Case&, Report&);  // "small"
void checkpoint_case(const Case&, Report&);         // "ckpt"
void data_case(const Case&, Report&);               // "data"
void steps_case(const Case&, Report&);              // "steps": DDPM and DDIM single steps
void loss_case(const Case&, Report&);               // "loss"
void sd_schedule_case(const Case&, Report&);        // "sched"
void solver_case(const Case&, Report&);             // "solver"
void vpsde_case(const Case&, Report&);              // "vpsde"
void train_case(const Case&, Report&);              // "train"
void frechet_case(const Case&, Report&);            // "frechet"
void inception_case(const Case&, Report&);          // "inception"
void efficientnet_case(const Case&, Report&);       // "efficientnet"
void autoencoder_case(const Case&, Report&);        // "ae"
void clip_case(const Case&, Report&);               // "clip"
void tokenizer_case(const Case&, Report&);          // "tokenizer"
void pipeline_case(const Case&, Report&);           // "pipe"
void metrics_case(const Case&, Report&);            // "metrics"

}  // namespace uvic::parity
