// The flags of scores, and what they make of an argument.
#pragma once

#include <CLI/CLI.hpp>
#include <initializer_list>

#include "app/draw/settings.h"
#include "app/model/model_argument.h"
#include "app/score/protocol.h"
#include "app/score/side.h"

namespace uvic {

// The flags that `fid`, `stats` and `clip-score` share, and what they make of an argument.
struct Scoring {
  std::string features, weights, resize, protocol;
  int64_t num = 0;
  int64_t fewest = 2;  // images that a score needs
  std::optional<int64_t> batch;
  SettingFlags settings;
  ModelArgument model;
  std::vector<const CLI::Option*> for_models;

  // `of_model` says how many images of a model count without --num.
  void add_options(CLI::App& app, const std::string& of_model);
  void add_image_options(CLI::App& app, const std::string& of_model);  // those alone that choose or draw images
  // Before anything is opened: Error for a flag that contradicts --protocol.
  void expect_protocol() const;
  // Error naming `text` and the forms if it is none of them, and for too few images.
  Side open(const std::string& text) const;
  // Error for flags that none of the sides heeds.
  void check_flags(std::initializer_list<const Side*> sides) const;
  // Decides how many images of `side` count, and where a model's conditions come from.
  void plan(Side& side, const Side* other) const;
  // Error if a side that is no images was computed otherwise. What is not said by flags, such a side says.
  std::unique_ptr<FeatureNet> load_net(std::initializer_list<const Side*> sides) const;

 private:
  void check_features_flags(std::initializer_list<const Side*> sides) const;
  void open_statistics(Side& side) const;
  void open_features(Side& side) const;
  void open_model(Side& side) const;
  void open_files(Side& side, bool is_array) const;
  void open_data(Side& side) const;
  void plan_by_protocol(Side& side, const Side* other) const;
  const Entry<Protocol>* rule() const;  // null without --protocol
};

// Writes the captions that a protocol chose for a model beside it, if one did.
void write_chosen_captions(const Side& side);

}  // namespace uvic
