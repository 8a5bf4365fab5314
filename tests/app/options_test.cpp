#include "app/cli/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/cli/config_source.h"
#include "app/cli/presets.h"
#include "app/cli/toml.h"
#include "app/model/model.h"
#include "tests/temporary.h"

namespace uvic::options_test {
namespace {

std::string error_in(const std::string& toml) {
  return error_of([&] { parse_config<RunOptions>(toml, "my.toml"); });
}

TEST(Presets, EachIsAConfigThatFitsTogether) {
  ASSERT_FALSE(presets().empty());
  for (const auto& preset : presets()) {
    SCOPED_TRACE(preset.name);
    EXPECT_FALSE(preset.summary.empty());
    const RunConfig config = parse_config<RunOptions>(std::string(preset.value), std::string(preset.name));
    const UVitConfig model = resolve(config.model);
    EXPECT_GE(model.depth, 2);
    EXPECT_EQ(config.data.condition == "text", model.context_tokens > 0);
    EXPECT_NO_THROW(make_schedule(config.schedule));
    const std::string text = print_config<RunOptions>(config);
    EXPECT_EQ(print_config<RunOptions>(parse_config<RunOptions>(text, "printed")), text);
  }
}

TEST(Presets, TrainNoLongerThanTheirWarmUpAndAverage) {
  for (const auto& preset : presets())
    EXPECT_EQ(doubts(parse_config<RunOptions>(std::string(preset.value), "preset").train).size(), 0u) << preset.name;
}

// Every key of every section, by what becomes of a trained model when it changes.
TEST(Options, KeysThatGiveWeightsAnotherMeaningAreKnown) {
  const std::set<std::string> fixed{"model.size",
                                    "model.depth",
                                    "model.dim",
                                    "model.heads",
                                    "model.image_size",
                                    "model.patch",
                                    "model.channels",
                                    "model.mlp_ratio",
                                    "model.qkv_bias",
                                    "model.mlp_time_embed",
                                    "model.conv",
                                    "model.skip",
                                    "model.context_tokens",
                                    "model.context_dim",
                                    "model.attention",
                                    "model.end_attention",
                                    "model.memory",
                                    "model.block",
                                    "model.segments",
                                    "model.window",
                                    "model.fam_length",
                                    "schedule.kind",
                                    "schedule.beta_start",
                                    "schedule.beta_end",
                                    "objective.prediction",
                                    "data.condition",
                                    "data.latent_scale",
                                    "train.optimizer",
                                    "init.allow",
                                    "lora.rank",
                                    "lora.alpha"};
  const std::map<std::string, std::string> others{// another value of keys that are no number and no flag
                                                  {"model.size", "\"M\""},
                                                  {"model.attention", "\"softmax\""},
                                                  {"model.end_attention", "\"cog\""},
                                                  {"model.memory", "\"fam\""},
                                                  {"model.window", "\"past\""},
                                                  {"model.kernels", "\"reference\""},
                                                  {"schedule.kind", "\"linear\""},
                                                  {"objective.prediction", "\"v\""},
                                                  {"objective.weighting", "\"min-snr\""},
                                                  {"data.condition", "\"text\""},
                                                  {"init.allow", "\"new\""},
                                                  {"train.optimizer", "\"muon\""},
                                                  {"train.lr_decay", "\"cosine\""},
                                                  {"world.wire", "\"bf16\""},
                                                  {"train.precision", "\"bf16\""},
                                                  {"sample.sampler", "\"ddpm\""},
                                                  {"eval.features", "\"efficientnet-lite0\""}};
  const RunConfig config;
  std::set<std::string> refused;
  for (const TomlItem& item : parse_toml(print_config<RunOptions>(config), "printed")) {
    const std::string key = item.section + "." + item.key;
    const auto other = others.find(key);
    std::string value = "\"x\"";
    if (other != others.end())
      value = other->second;
    else if (item.value == "true" || item.value == "false")
      value = item.value == "true" ? "false" : "true";
    else if (!item.value.empty() && item.value.find_first_not_of("0123456789.e-") == std::string::npos)
      value = item.value == "1" ? "0.5" : "1";
    RunConfig changed;
    try {
      changed = parse_config<RunOptions>(fmt::format("[{}]\n{} = {}\n", item.section, item.key, value), key);
    } catch (const Error&) {
      changed = parse_config<RunOptions>(fmt::format("[{}]\n{} = 7\n", item.section, item.key), key);
    }
    ASSERT_NE(print_config<RunOptions>(changed), print_config<RunOptions>(config)) << key;
    if (const auto change = change_of_meaning<RunOptions>(config, changed)) {
      EXPECT_EQ(change->key, key);
      EXPECT_NE(change->before, change->after);
      refused.insert(key);
    }
  }
  EXPECT_EQ(refused, fixed);
}

TEST(Options, PrintedConfigComesBack) {
  RunConfig config;
  config.data.spec = "folder:C:\\my \"pictures\" # 1, [2] = 'three'?size=32&limit=7";
  config.output.name = "a name\twith\nbreaks";
  config.train.seed = 18446744073709551615u;
  config.train.lr = 1.0 / 3;
  config.train.adamw.eps = 1e-30;
  config.train.steps = int64_t{1} << 62;
  config.model.conv = false;
  config.model.context_tokens = 0;
  config.sample.sampler.clip_x0 = true;
  const std::string text = print_config<RunOptions>(config);
  const RunConfig back = parse_config<RunOptions>(text, "printed");
  EXPECT_EQ(print_config<RunOptions>(back), text);
  EXPECT_EQ(back.data.spec, config.data.spec);
  EXPECT_EQ(back.output.name, config.output.name);
  EXPECT_EQ(back.train.seed, config.train.seed);
  EXPECT_EQ(back.train.lr, config.train.lr);
  EXPECT_EQ(back.train.adamw.eps, config.train.adamw.eps);
  EXPECT_EQ(back.train.steps, config.train.steps);
  EXPECT_EQ(back.model, config.model);
  EXPECT_TRUE(back.sample.sampler.clip_x0);
}

TEST(Options, AConfigIsUtf8WithOrWithoutAMark) {
  EXPECT_EQ(parse_config<RunOptions>("\xEF\xBB\xBF[output]\nname = \"J\xC3\xB6rg\"", "my.toml").output.name,
            "J\xC3\xB6rg");
  expect_mentions(error_in("[output]\nname = \"J\xF6rg\""), {"my.toml, line 2", "UTF-8"});
  expect_mentions(error_in(std::string("\xFF\xFE[\0", 4)), {"my.toml is UTF-16"});
}

TEST(ModelCards, NamesWhatIsWrongWithTheMetadata) {
  const std::map<std::string, std::string> good =
      ModelCard{.config = {}, .step = 5, .classes = {"a", "b"}, .vocabulary = {}}.to_metadata();
  EXPECT_EQ(ModelCard::from_metadata(good, "m")->classes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ModelCard::from_metadata(good, "m")->step, 5);
  const std::pair<const char*, std::string> changes[] = {
      {"uvic.step", "x"},         {"uvic.step", "5x"},
      {"uvic.step", "-5"},        {"uvic.step", "99999999999999999999"},
      {"uvic.classes", "[1]"},    {"uvic.classes", "{}"},
      {"uvic.classes", "[\"a\""}, {"uvic.classes", std::string(1'000'000, '[')}};
  for (const auto& [key, value] : changes) {
    auto metadata = good;
    metadata[key] = value;
    const std::string message = error_of([&] { ModelCard::from_metadata(metadata, "m.safetensors"); });
    expect_mentions(message, {"m.safetensors", key});
    EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
  }
}

TEST(Options, AConfigFromBeforeAnOptionHasItsDefault) {
  std::string text = print_config<RunOptions>({});
  const std::string line = "kernels = \"fused\"\n";
  ASSERT_NE(text.find(line), std::string::npos);
  text.erase(text.find(line), line.size());
  EXPECT_EQ(parse_config<RunOptions>(text, "an old run").model, UVitConfig{});
}

TEST(Options, MistakesNameTheKeyAndTheFile) {
  expect_mentions(error_in("[train]\nstpes = 3\n"), {"my.toml", "line 2", "stpes", "[train]", "steps"});
  expect_mentions(error_in("[modle]\ndepth_of = 3\n"), {"my.toml", "line 2", "[modle]", "model"});
  expect_mentions(error_in("[train]\ndepth = 4\n"), {"my.toml", "depth", "[train]", "[model]"});
  expect_mentions(error_in("steps = 4\n"), {"my.toml", "steps", "[train]"});
  expect_mentions(error_in("[train]\n\nsteps = \"many\"\n"),
                  {"my.toml", "line 3", "train.steps", "many", "whole number"});
  expect_mentions(error_in("[train]\nsteps = 1.5\n"), {"my.toml", "train.steps", "1.5"});
  expect_mentions(error_in("[train]\nsteps = 0\n"), {"my.toml", "train.steps", "0", "1 or more"});
  expect_mentions(error_in("[train]\nsteps = \"\"\n"), {"my.toml", "train.steps"});
  expect_mentions(error_in("[train]\nseed = -1\n"), {"my.toml", "train.seed", "-1"});
  expect_mentions(error_in("[train]\nlr = -0.1\n"), {"my.toml", "train.lr", "-0.1"});
  expect_mentions(error_in("[train]\nlr = nan\n"), {"my.toml", "train.lr", "nan"});
  expect_mentions(error_in("[train]\nema = 1.5\n"), {"my.toml", "train.ema", "1.5", "0 to 1"});
  expect_mentions(error_in("[train]\nsteps = 99999999999999999999\n"), {"my.toml", "train.steps"});
  expect_mentions(error_in("[model]\ndepth = -2\n"), {"my.toml", "model.depth", "-2"});
  expect_mentions(error_in("[model]\nsize = \"XXL\"\n"), {"my.toml", "model.size", "XXL", "nano"});
  expect_mentions(error_in("[data]\nflip = 3\n"), {"my.toml", "data.flip", "3", "true or false"});
  expect_mentions(error_in("[data]\ncondition = \"sound\"\n"), {"my.toml", "data.condition", "sound"});
}

TEST(Options, EveryNumberAndChoiceIsChecked) {
  // A new option that takes any text would fail here, unless it is one of those that are texts.
  const std::set<std::string> texts{"data.spec", "data.text_encoder", "eval.against",   "output.autoencoder",
                                    "init.file", "output.name",       "output.prompts", "output.text"};
  for (const TomlItem& item : parse_toml(print_config<RunOptions>({}), "defaults")) {
    const std::string name = item.section + "." + item.key;
    if (texts.contains(name)) continue;
    expect_mentions(error_in(fmt::format("[{}]\n{} = \"no such\"\n", item.section, item.key)),
                    {"my.toml", name, "no such"});
  }
}

class Precedence : public ::testing::Test {
 protected:
  // Steps as `uvic train` would resolve them.
  RunConfig resolve_from(std::vector<std::string> arguments) {
    CLI::App app;
    RunConfig config;
    ConfigSource source;
    source.add_options(app);
    RunOptions options(app, config);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 reads a vector from its end
    app.parse(arguments);
    source.apply(options);
    return config;
  }

  TemporaryFolder folder_;
};

TEST_F(Precedence, FlagOverFileOverPresetOverDefault) {
  const std::string file = folder_.put("c.toml", "[train]\nsteps = 111\nbatch = 7\n").string();
  const RunConfig smoke = parse_config<RunOptions>(std::string(find(presets(), "smoke", "preset").value), "smoke");
  ASSERT_NE(smoke.train.steps, 111);
  ASSERT_NE(smoke.train.lr, TrainConfig{}.lr);

  const RunConfig config = resolve_from({"--preset", "smoke", "--config", file, "--steps", "222"});
  EXPECT_EQ(config.train.steps, 222);                            // flag
  EXPECT_EQ(config.train.batch, 7);                              // file
  EXPECT_EQ(config.train.lr, smoke.train.lr);                    // preset
  EXPECT_EQ(config.train.accumulate, TrainConfig{}.accumulate);  // default
  EXPECT_EQ(resolve_from({"--preset", "smoke", "--config", file}).train.steps, 111);
  EXPECT_EQ(resolve_from({"--preset", "smoke"}).train.steps, smoke.train.steps);
  EXPECT_EQ(resolve_from({"--train.steps", "5", "--preset", "smoke"}).train.steps, 5);
}

TEST_F(Precedence, AnEmptyTextIsAValue) {
  const std::string file = folder_.put("c.toml", "[data]\nspec = \"\"\n").string();
  EXPECT_EQ(resolve_from({"--preset", "smoke", "--config", file}).data.spec, "");
}

TEST_F(Precedence, WrongFlagsAreUsageErrors) {
  EXPECT_THROW(resolve_from({"--train.stpes", "3"}), CLI::ParseError);
  EXPECT_THROW(resolve_from({"--steps", "0"}), CLI::ParseError);
  EXPECT_THROW(resolve_from({"--steps", "1e3x"}), CLI::ParseError);
  EXPECT_THROW(resolve_from({"--model.attention", "hard"}), CLI::ParseError);
  EXPECT_THROW(resolve_from({"--preset", "nothing"}), CLI::ParseError);
}

TEST_F(Precedence, MissingSourcesAreNamed) {
  expect_mentions(error_of([&] { resolve_from({"--config", "/no/such.toml"}); }), {"/no/such.toml"});
}

TEST(Toml, ReadsWhatPeopleWrite) {
  const auto items = parse_toml(
      "\xEF\xBB\xBF# a comment\r\n"
      "model.depth = 4 # behind a value\r\n"
      "[ train ]  # and behind a section\n"
      "  lr=1e-4\n"
      "a = \"x # \\\"y\\\" \\\\ \\t\" # z\n"
      "b = 'C:\\raw'\n"
      "c = ''",
      "t");
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].section + "/" + items[0].key + "/" + items[0].value, "model/depth/4");
  EXPECT_EQ(items[0].line, 2);
  EXPECT_EQ(items[1].section + "/" + items[1].key + "/" + items[1].value, "train/lr/1e-4");
  EXPECT_EQ(items[2].value, "x # \"y\" \\ \t");
  EXPECT_EQ(items[3].value, "C:\\raw");
  EXPECT_EQ(items[4].value, "");
  EXPECT_EQ(items[4].line, 7);
}

TEST(Toml, GivesNumbersAsTheyAreWritten) {
  const auto value = [](const std::string& text) { return parse_toml("a = " + text + " # 7_0", "t").at(0).value; };
  for (const char* number : {"0", "-0", "+5", "-9223372036854775808", "18446744073709551615", "1.0", "1e-4", "1e+30",
                             "-0.10", "inf", "nan", "true"})
    EXPECT_EQ(value(number), number);
  EXPECT_EQ(value("1_000_000.000_1e1_0"), "1000000.0001e10");
  EXPECT_EQ(value("'1_000'"), "1_000");
  EXPECT_EQ(value("cifar10:in_2024_01"), "cifar10:in_2024_01");
}

TEST(Toml, AStringComesBackWhateverIsInIt) {
  std::string all = "ä";
  for (int c = 1; c < 128; ++c) all += static_cast<char>(c);
  const std::string text = toml_string(all);
  EXPECT_EQ(parse_toml("a = " + text, "t").at(0).value, all);
  EXPECT_TRUE(std::ranges::none_of(text, [](unsigned char c) { return c < 32 || c == 127; })) << text;
  EXPECT_EQ(parse_toml("a = \"\x1b[1m\"", "t").at(0).value, "\x1b[1m");  // as it was written once
  EXPECT_EQ(parse_toml(R"(a = "\u0041\u00e4\u732B\U0001F431!")", "t").at(0).value, "Aä猫🐱!");
}

TEST(Toml, RefusesTheRest) {
  const auto error = [](const std::string& text) { return error_of([&] { parse_toml("\n" + text, "t.toml"); }); };
  for (const char* text : {"steps",
                           "steps 5",
                           "[train",
                           "[]",
                           "[[train]]",
                           "= 5",
                           "a =",
                           "a = # 5",
                           "a = \"open",
                           "a = 'open",
                           "a = \"x\" y",
                           "a = two words",
                           "a = [1, 2]",
                           "a = {b = 1}",
                           "a = \"\"\"x\"\"\"",
                           "a = \"\\q\"",
                           "a = \"\\",
                           "a = \"\\u12\"",
                           "a = \"\\u0000\"",
                           "a = \"\\ud83d\"",
                           "a = \"\\U00110000\"",
                           "a = \"\\u-123\"",
                           "a b = 1",
                           ".a = 1"})
    expect_mentions(error(text), {"t.toml", "line 2"});
  expect_mentions(error("[x]\na = 1\n[y]\na = 1\n[x]\na = 2"), {"line 7", "[x] a", "twice"});
}

}  // namespace
}  // namespace uvic::options_test
