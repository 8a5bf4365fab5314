// What `fid` and `stats` take as an argument: images in files, a data SPEC, statistics, or a model.
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>

#include "app/config_source.h"
#include "app/score.h"

namespace uvic {

enum class Form { kStatistics, kModel, kFiles, kData };

// One of the two things compared.
struct Side {
  std::string text;  // as given
  Form form = Form::kData;
  std::optional<Gaussian> gaussian;  // of statistics from the beginning, of others once measured
  std::map<std::string, std::string> notes;
  std::unique_ptr<Model> model;
  GenerateOptions how;
  std::shared_ptr<const Dataset> data;
  ImageSource images;
  int64_t count = 0;  // images to compare; 0: unknown
};

// The flags that `fid` and `stats` share, and what they make of an argument.
struct Scoring {
  std::string features, weights, device = "cpu", sampler;
  int64_t num = 0;
  std::optional<int64_t> batch, steps;
  std::optional<double> cfg_scale;
  RunConfig config;
  ConfigSource source;
  std::unique_ptr<RunOptions> options;
  std::vector<const CLI::Option*> for_models;

  void add_options(CLI::App& app);
  // Error naming `text` and the four forms if it is none of them, and for an empty set or a single image.
  Side open(const std::string& text) const;
  // Error for flags that none of the sides heeds.
  void check_flags(std::initializer_list<const Side*> sides) const;
  // Decides how many images of `side` count, and where a model's conditions come from.
  void plan(Side& side, const Side* other) const;

 private:
  void open_model(Side& side) const;
};

std::string describe(const Side& side);  // "shapes (500 images)"; once measured
nlohmann::json to_json(const Side& side);

}  // namespace uvic
