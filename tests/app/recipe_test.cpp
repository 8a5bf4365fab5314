#include "app/draw/recipe.h"

#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace uvic::recipe_test {
namespace {

Recipe example() {
  Recipe r;
  r.prompt = "a red circle above a blue square";
  r.settings.sampler.kind = "dpm-solver++2m";
  r.settings.sampler.steps = 20;
  r.settings.cfg_scale = 2.5;
  r.seed = 18446744073709551615u;
  r.width = 48;
  r.height = 32;
  r.model = "shapes";
  r.model_hash = "0123456789";
  r.version = "0.1.0";
  return r;
}

TEST(Recipe, IsTheTextOfTheWebUi) {
  EXPECT_EQ(to_parameters(example()),
            "a red circle above a blue square\n"
            "Steps: 20, Sampler: dpm-solver++2m, CFG scale: 2.5, Seed: 18446744073709551615, Size: 48x32, "
            "Model hash: 0123456789, Model: shapes, Version: 0.1.0");
}

TEST(Recipe, EveryFieldComesBack) {
  Recipe r = example();
  r.negative = "blurry, green";
  r.adapters = {{"pink", "abcdef0123", 0.5}, {"a:b, c \"d\"", "0123abcdef", -1}};
  r.settings.sampler.eta = 0.1;
  r.settings.cfg_scale = 1.0 / 3;
  r.settings.sampler.clip_x0 = true;
  r.settings.precision = "bf16";
  r.settings.tile = 32;
  r.settings.latent_scale = 0.2301;
  r.to_prompt = "a blue square, Mix: 1";
  r.to_seed = 7;
  r.mix = 0.25;
  r.settings.strength = 0.6;
  r.image_hash = "abcdef0123";
  r.mask_hash = "3210fedcba";
  r.label = 0;
  r.label_name = "plane, \"old\"";
  r.model = "my: model, 2";
  EXPECT_EQ(parse_parameters(to_parameters(r), "x.png"), r);
}

TEST(Recipe, AnyPromptComesBack) {
  const std::string prompts[] = {
      "",
      "one\ntwo\n\nthree",
      "a, b: c, \"d\" 'e' \\f \\n",
      "ein grüner Käfer, 東京 🟥",
      "Steps: 5",
      "x\nSteps: 5, Seed: 1, Size: 1x1",
      "Steps: 5, Sampler: none\nSteps: 6",
      "Negative prompt: y",
      "x\nNegative prompt: y",
      "x\nNegative prompt: \nNegative prompt: z",
      "x\n",
      "\n",
      " padded ",
      "windows\r\nlines",
      "say \"Model: none\", Seed: 0",
  };
  for (const std::string& prompt : prompts)
    for (const std::string& negative : prompts) {
      Recipe r = example();
      r.prompt = prompt;
      r.negative = negative;
      EXPECT_EQ(parse_parameters(to_parameters(r), "x.png"), r) << to_parameters(r);
    }
}

// Hashes are hexadecimal digits, but a recipe may come from anywhere.
TEST(Recipe, AnyTextOfAFieldSurvives) {
  for (const std::string text : {"a, Seed: 9", "\"x, y\"", "\"", "a: b", "line\nSteps: 3"}) {
    Recipe r = example();
    r.image_hash = r.mask_hash = r.model_hash = r.model = r.label_name = r.version = text;
    EXPECT_EQ(parse_parameters(to_parameters(r), "x.png"), r) << to_parameters(r);
  }
}

TEST(Recipe, BytesThatAreNoTextAreReplacedOnce) {
  Recipe r = example();
  r.prompt = "a \xb8\nNegative prompt: \xe2\x82";
  r.model = "\xff, x";
  const Recipe read = parse_parameters(to_parameters(r), "x.png");
  EXPECT_EQ(read.prompt, "a \uFFFD\nNegative prompt: \uFFFD\uFFFD");
  EXPECT_EQ(read.model, "\uFFFD, x");
  EXPECT_EQ(to_parameters(read), to_parameters(r));
  const std::string foreign = "x\nSteps: 1, Sampler: ddim, Seed: 0, Size: 1x1, Exact prompt: \"a\nb\xb8\"c\"";
  const Recipe once = parse_parameters(foreign, "x.png");
  EXPECT_EQ(to_parameters(parse_parameters(to_parameters(once), "x.png")), to_parameters(once));
}

TEST(Recipe, PlainPromptsAreNotRepeated) {
  Recipe r = example();
  r.prompt = "Steps: 5\nand more";
  r.negative = "blurry\nSteps: 7";
  EXPECT_EQ(to_parameters(r).find("Exact"), std::string::npos);
  r.prompt = "x\nNegative prompt: y";
  r.negative = "";
  EXPECT_NE(to_parameters(r).find("Exact"), std::string::npos);
}

TEST(Recipe, ForeignRecipesAreReadAndTheirOtherFieldsIgnored) {
  const Recipe r = parse_parameters(
      "portrait of a cat\nin two lines\nNegative prompt: lowres, bad\nSteps: 30, Sampler: DPM++ 2M Karras, "
      "Schedule type: Karras, CFG scale: 7, Seed: 965432, Size: 512x768, Model hash: 6ce0161689, Model: v1-5, "
      "Denoising strength: 0.5, Lora hashes: \"a: 1f, b: 2e\", Hashes: {\"model\": \"6ce0\", \"x\": \"y\"}, Version: "
      "v1.9.4",
      "cat.png");
  EXPECT_EQ(r.prompt, "portrait of a cat\nin two lines");
  EXPECT_EQ(r.negative, "lowres, bad");
  EXPECT_EQ(r.settings.sampler.kind, "DPM++ 2M Karras");
  EXPECT_EQ(r.settings.sampler.steps, 30);
  EXPECT_EQ(r.settings.cfg_scale, 7);
  EXPECT_EQ(r.seed, 965432u);
  EXPECT_EQ(r.width, 512);
  EXPECT_EQ(r.height, 768);
  EXPECT_EQ(r.model_hash, "6ce0161689");
  EXPECT_EQ(r.version, "v1.9.4");
  EXPECT_FALSE(r.label);
}

TEST(Recipe, ForeignRecipeWithoutPrompt) {
  EXPECT_EQ(parse_parameters("Steps: 3, Seed: 1, Size: 8x8", "x.png").prompt, "");
  const Recipe r = parse_parameters("Negative prompt: fog\nSteps: 3, Seed: 1, Size: 8x8", "x.png");
  EXPECT_EQ(r.prompt, "");
  EXPECT_EQ(r.negative, "fog");
}

TEST(Recipe, DamagedOnesAreRefused) {
  const auto error = [](const std::string& text) { return error_of([&] { parse_parameters(text, "bad.png"); }); };
  expect_mentions(error(""), {"bad.png", "Steps:"});
  expect_mentions(error("just a text, Steps: 3"), {"bad.png", "Steps:"});
  expect_mentions(error("x\nSteps: many, Seed: 1, Size: 8x8"), {"bad.png", "Steps", "many"});
  expect_mentions(error("x\nSteps: 3x, Seed: 1, Size: 8x8"), {"bad.png", "Steps", "3x"});
  expect_mentions(error("x\nSteps: 3, Size: 8x8"), {"bad.png", "Seed"});
  expect_mentions(error("x\nSteps: 3, Seed: -1, Size: 8x8"), {"bad.png", "Seed", "-1"});
  expect_mentions(error("x\nSteps: 3, Seed: 1"), {"bad.png", "Size"});
  expect_mentions(error("x\nSteps: 3, Seed: 1, Size: 8x8, Decoder tile: 1"), {"bad.png", "Decoder tile 1"});
  expect_mentions(error("x\nSteps: 3, Seed: 1, Size: 8x8, Latent scale: -1"),
                  {"bad.png", "Latent scale is -1", "0 or more"});
  expect_mentions(error("x\nSteps: 3, Seed: 1, Size: 8"), {"bad.png", "Size"});
  expect_mentions(error("x\nSteps: 3, Seed: 1, Size: 8x8, CFG scale: high"), {"bad.png", "CFG scale", "high"});
}

TEST(Recipe, SurvivesThePngFile) {
  const TemporaryFolder folder;
  Recipe r = example();
  r.prompt = "ein roter Kreis über 東京\nNegative prompt: no";
  write_png(folder / "a.png", at::zeros({32, 48, 3}, at::kByte), {{"Title", "t"}, {kParametersKey, to_parameters(r)}});
  EXPECT_EQ(read_recipe(folder / "a.png"), r);
  write_png(folder / "b.png", at::zeros({4, 4, 3}, at::kByte), {{"Title", "t"}});
  expect_mentions(error_of([&] { read_recipe(folder / "b.png"); }), {"b.png", "recipe"});
}

}  // namespace
}  // namespace uvic::recipe_test
