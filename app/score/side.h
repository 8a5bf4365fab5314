// What scores compare: statistics, kept features, a model, images in files, or data.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "app/score/score.h"
#include "eval/feature_set.h"
#include "eval/metrics/metric.h"
#include "train/world.h"

namespace uvic {

// Below it a distance says more about the number of images than about the images: pytorch-fid asks for as many as there
// are features, 2048 in Inception.
constexpr int64_t kEnoughImages = 2048;

// What each kind of side has of its own.
struct StatisticsSide {};
struct FeaturesSide {
  Activations stored;  // of the .feats file
};
struct ModelSide {
  std::unique_ptr<Model> model;
  GenerateOptions how;
  std::shared_ptr<const Dataset> chosen = {};  // captions that a protocol chose; null: no protocol
};
struct FilesSide {
  std::optional<FileTree> tree;  // nothing: the images are in an array
};
struct DataSide {
  std::shared_ptr<const Dataset> data;
};

// One of the two things compared.
struct Side {
  std::string text;  // as given
  std::variant<StatisticsSide, FeaturesSide, ModelSide, FilesSide, DataSide> kind;
  std::map<std::string, std::string> notes;
  std::optional<FeatureSet> set;          // of statistics from the beginning, of others once measured
  std::vector<int64_t> image_of_row;      // which image a row of the set's features is of
  std::unique_ptr<ImageSource> images;    // null: none to look at
  std::shared_ptr<const Dataset> labels;  // image i has the class of its image i, cyclically; null: no classes
  int64_t count = 0;                      // images to compare; 0: unknown

  // What it has as a side of that kind; null if it is of another.
  template <class Kind>
  Kind* as() {
    return std::get_if<Kind>(&kind);
  }
  template <class Kind>
  const Kind* as() const {
    return std::get_if<Kind>(&kind);
  }
  bool has_images() const { return !as<StatisticsSide>() && !as<FeaturesSide>(); }
  int64_t dims() const;                         // features of statistics or a .feats file
  std::shared_ptr<const Dataset> data() const;  // null unless it is data
};

// Sets side.set, with what `keep` asks for; `net` may be null if the side has no images. Ranks share images out, and
// rank 0 alone has then what they say, with the bits of one process.
void measure(Side& side, const FeatureNet* net, const Keep& keep, const std::string& task, const World& world);

std::string note(const Side& side, const std::string& name);  // "" if there is none
std::optional<std::string> known_protocol(const Side& side);  // "": none; nullopt: nobody knows

std::string describe(const Side& side);  // "shapes (500 images)"; once measured
// The same of so many images of `text`, of which settings_of(side) was said.
std::string describe(const std::string& text, int64_t images, const std::string& settings);
std::string settings_of(const Side& side);  // ", ddim 50 steps, guidance 1" of a model, of others ""
nlohmann::json to_json(const Side& side);
nlohmann::ordered_json to_json(const MetricValue& value);

}  // namespace uvic
