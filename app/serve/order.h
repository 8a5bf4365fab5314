// What a client wants drawn: as it was asked, and checked against the model.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/draw/pipeline.h"

namespace uvic {

constexpr int64_t kMostSteps = 1000, kMostPictures = 1024;
constexpr size_t kLongestPrompt = 16 << 10;  // bytes

// Calls f(setting, field) as SampleConfig::visit does, for the settings that a client may choose, in the server's
// bounds.
template <class F>
void visit_choices(F&& f) {
  SampleConfig::visit([&](Setting setting, auto field) {
    if (setting.key == "latent_scale") return;  // the model's
    if (setting.key == "steps") setting.high = kMostSteps;
    f(setting, field);
  });
}

struct Order {
  std::string model;
  std::vector<Request> requests;  // number: its place
  SampleConfig settings;
  std::optional<Edit> edit;
};

// One order as every interface puts it.
struct Wish {
  explicit Wish(const SampleConfig& settings) : settings(settings) {}

  std::string prompt, negative, label;  // label: a class by name or number, "": none
  std::vector<uint64_t> seeds;
  std::optional<std::string> to_prompt;
  std::optional<uint64_t> to_seed;
  int64_t frames = 8;     // on the way there, both ends included
  SampleConfig settings;  // begins as the model's own
  PictureFile init, mask;
};

// Error, one sentence, if the model `name` cannot be asked that.
Order make_order(const std::string& name, const ModelCard& card, int64_t picture_size, const Wish& wish);

// Readers of an object's fields; one that is missing or null leaves the value as it is. Error names the field, what
// was expected and what came.
void read_field(const nlohmann::json& object, const char* key, std::string& value);
void read_field(const nlohmann::json& object, const char* key, int64_t& value, int64_t low, int64_t high);
void read_field(const nlohmann::json& object, const char* key, bool& value);
// A seed: -1 is a new one.
std::optional<uint64_t> read_seed(const nlohmann::json& object, const char* key);
// "data:image/png;base64,..." or base64 alone.
void read_picture(const nlohmann::json& value, const char* key, PictureFile& picture);
// Every setting by its key.
void read_settings(const nlohmann::json& object, SampleConfig& settings);
// The one of that key, which the object calls `name`.
void read_setting(const nlohmann::json& object, const char* name, std::string_view key, SampleConfig& settings);

// All fields of /api/jobs but the model.
void read_wish(const nlohmann::json& object, Wish& wish);

// One that nobody chose; below 2^32, so that no JavaScript rounds it.
uint64_t new_seed();
// Of one seed: it and those that follow.
std::vector<uint64_t> seeds_from(uint64_t first, int64_t count);

}  // namespace uvic
