// What scores take as an argument: images in files, a data SPEC, statistics, kept features, or a model.
#pragma once

#include <initializer_list>
#include <nlohmann/json_fwd.hpp>

#include "app/cli/config_source.h"
#include "app/score/protocol.h"
#include "app/score/score.h"
#include "datasets/file_tree.h"
#include "eval/feature_set.h"
#include "eval/metrics/metric.h"

namespace uvic {

// Below it a distance says more about the number of images than about the images: pytorch-fid asks for as many as there
// are features, 2048 in Inception.
constexpr int64_t kEnoughImages = 2048;

enum class Form { kStatistics, kFeatures, kModel, kFiles, kData };

// One of the two things compared.
struct Side {
  std::string text;  // as given
  Form form = Form::kData;
  std::optional<FeatureSet> set;      // of statistics from the beginning, of others once measured
  std::vector<int64_t> image_of_row;  // which image a row of the set's features is of
  Activations stored;                 // of a .feats file
  std::map<std::string, std::string> notes;
  std::unique_ptr<Model> model;
  GenerateOptions how;
  std::shared_ptr<const Dataset> data;
  std::optional<FileTree> files;  // that images come from
  ImageSource images;
  std::shared_ptr<const Dataset> labels;  // image i has the class of its image i, cyclically; null: no classes
  int64_t count = 0;                      // images to compare; 0: unknown

  bool has_images() const { return form != Form::kStatistics && form != Form::kFeatures; }
  int64_t dims() const;  // features of statistics or a .feats file
};

// The flags that `fid`, `stats` and `clip-score` share, and what they make of an argument.
struct Scoring {
  std::string features, weights, resize, device = "cpu", sampler, protocol;
  int64_t num = 0;
  int64_t fewest = 2;  // images that a score needs
  std::optional<int64_t> batch, steps;
  std::optional<double> cfg_scale;
  EncoderFiles encoders;
  RunConfig config;
  ConfigSource source;
  std::unique_ptr<RunOptions> options;
  std::vector<const CLI::Option*> for_models;

  // `of_model` says how many images of a model count without --num.
  void add_options(CLI::App& app, const std::string& of_model);
  void add_image_options(CLI::App& app, const std::string& of_model);  // those alone that choose or draw images
  // Before anything is opened: what a protocol fixes takes the place of flags. Error for a flag that says otherwise.
  void fix_by_protocol();
  // Error naming `text` and the forms if it is none of them, and for too few images.
  Side open(const std::string& text) const;
  // Error for flags that none of the sides heeds.
  void check_flags(std::initializer_list<const Side*> sides) const;
  // Decides how many images of `side` count, and where a model's conditions come from. A protocol's captions are also
  // written beside the model.
  void plan(Side& side, const Side* other) const;
  // Error if a side that is no images was computed otherwise. What is not said by flags, such a side says.
  std::unique_ptr<FeatureNet> load_net(std::initializer_list<const Side*> sides) const;

 private:
  void check_features_flags(std::initializer_list<const Side*> sides) const;
  void open_model(Side& side) const;
  void open_features(Side& side) const;
  void open_data(Side& side) const;
  void plan_by_protocol(Side& side, const Side* other) const;
  const Entry<Protocol>* rule() const;  // null without --protocol
};

// Sets side.set, with what `keep` asks for; `net` may be null if the side has no images.
void measure(Side& side, const FeatureNet* net, const Keep& keep, const std::string& task);

std::string note(const Side& side, const std::string& name);  // "" if there is none
std::optional<std::string> known_protocol(const Side& side);  // "": none; nullopt: nobody knows

std::string describe(const Side& side);  // "shapes (500 images)"; once measured
nlohmann::json to_json(const Side& side);
nlohmann::ordered_json to_json(const MetricValue& value);

}  // namespace uvic
