// One list of settings serves flags, configs, recipes, JSON and the keys of what is kept.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "app/cli/setting_flags.h"
#include "app/cli/settings_json.h"
#include "app/draw/recipe_words.h"
#include "core/error.h"
#include "tests/temporary.h"

namespace uvic::settings_test {
namespace {

// A setting that SampleConfig might have next.
struct Extended : SampleConfig {
  double churn = 0;

  template <class F>
  static void visit(F&& f) {
    SampleConfig::visit(f);
    f(
        Setting{.key = "churn", .recipe = "Churn", .help = "noise added in every step"},
        [](auto& config) -> auto& { return config.churn; });
  }
};

TEST(Settings, ANewOneIsInTheKeyTheRecipeAndTheJson) {
  Extended usual, other;
  other.churn = 0.5;
  EXPECT_NE(settings_key(usual), settings_key(other));
  EXPECT_TRUE(recipe_words(usual).others.empty());
  EXPECT_EQ(recipe_words(other).others, (std::vector<std::pair<std::string, std::string>>{{"Churn", "0.5"}}));
  EXPECT_EQ(parse_recipe_words<Extended>({{"Churn", "0.5"}}).churn, 0.5);
  nlohmann::json json;
  add_settings(json, other);
  EXPECT_EQ(json["churn"], 0.5);
}

// Another value that the setting can have.
template <class T>
void change(T& value, const Setting& setting) {
  if constexpr (std::is_same_v<T, std::string>)
    value = setting.choices().back() == value ? setting.choices().front() : setting.choices().back();
  else if constexpr (std::is_same_v<T, bool>)
    value = !value;
  else
    value = value == 1 ? 2 : 1;
}

TEST(Settings, EachIsWrittenAndReadBack) {
  std::set<std::string> keys{settings_key(SampleConfig())};
  int64_t count = 1;
  SampleConfig::visit([&](const Setting& setting, auto field) {
    SampleConfig config;
    change(field(config), setting);
    keys.insert(settings_key(config));
    EXPECT_EQ(static_cast<int64_t>(keys.size()), ++count) << setting.key;
    const RecipeWords words = recipe_words(config);
    std::map<std::string, std::string> read(words.first.begin(), words.first.end());
    read.insert(words.others.begin(), words.others.end());
    EXPECT_EQ(parse_recipe_words<SampleConfig>(read), config) << setting.key;
  });
}

TEST(Settings, FlagsOverrideAndAreCompared) {
  CLI::App app;
  SettingFlags flags;
  flags.add_options(app, {"strength"});
  app.parse("--steps 7 --clip-x0 true --eta 0.5");
  EXPECT_TRUE(flags.given("steps"));
  EXPECT_FALSE(flags.given("sampler"));
  SampleConfig config{.sampler = {.kind = "ddim", .steps = 50}, .cfg_scale = 2};
  flags.apply(config);
  EXPECT_EQ(config,
            (SampleConfig{.sampler = {.kind = "ddim", .steps = 7, .eta = 0.5, .clip_x0 = true}, .cfg_scale = 2}));
  EXPECT_NO_THROW(flags.expect(config, "x"));
  config.sampler.steps = 8;
  expect_mentions(error_of([&] { flags.expect(config, "--protocol p"); }), {"--steps 7 contradicts --protocol p", "8"});
  for (const char* bad :
       {"--steps 0", "--eta 1.5", "--sampler magic", "--cfg-scale x", "--clip-x0 maybe", "--strength 1"}) {
    CLI::App other;
    SettingFlags again;
    again.add_options(other, {"strength"});
    EXPECT_THROW(other.parse(bad), CLI::ParseError) << bad;
  }
}

TEST(Settings, RecipesCannotHaveWhatFlagsCannot) {
  for (const auto& [name, value] :
       {std::pair("Steps", "0"), {"Eta", "2"}, {"CFG scale", "inf"}, {"Denoising strength", "0"}})
    expect_mentions(error_of([&] { parse_recipe_words<SampleConfig>({{name, value}}); }), {name});
}

}  // namespace
}  // namespace uvic::settings_test
