#include "app/serve/order.h"

#include <gtest/gtest.h>

#include "core/formats/base64.h"
#include "core/image/image.h"
#include "tests/temporary.h"

namespace uvic::order_test {
namespace {

using nlohmann::json;

ModelCard card() {
  ModelCard card;
  card.config.model.classes = 2;
  card.config.model.context_tokens = 0;
  card.classes = {"cat", "dog"};
  return card;
}

Wish wish() {
  Wish wish{SampleConfig()};
  wish.seeds = {7, 8};
  return wish;
}

TEST(Order, SeedsAndFramesAreRequests) {
  Wish between = wish();
  between.to_seed = 9;
  between.frames = 3;
  between.label = "dog";
  const Order order = make_order("pets", card(), 8, between);
  ASSERT_EQ(order.requests.size(), 6u);
  EXPECT_EQ(order.requests[4].seed, 8u);
  EXPECT_EQ(order.requests[4].mix, 0.5);
  EXPECT_EQ(order.requests[4].number, 4);
  EXPECT_EQ(order.requests[4].label, 1);
  EXPECT_EQ(make_order("pets", card(), 8, wish()).requests.size(), 2u);
}

TEST(Order, NamesWhatTheModelCannotDo) {
  Wish text = wish();
  text.prompt = "a cat";
  expect_mentions(error_of([&] { make_order("pets", card(), 8, text); }), {"pets", "without text", "class"});
  Wish label = wish();
  label.label = "bird";
  expect_mentions(error_of([&] { make_order("pets", card(), 8, label); }), {"bird", "cat, dog"});
  Wish strength = wish();
  strength.settings.strength = 0.5;
  expect_mentions(error_of([&] { make_order("pets", card(), 8, strength); }), {"strength", "picture"});
  Wish none = wish();
  none.seeds = {};
  expect_mentions(error_of([&] { make_order("pets", card(), 8, none); }), {"0 pictures"});
}

TEST(Order, StartsFromAPicture) {
  const Tensor image = at::full({8, 8, 3}, 200, at::kByte);
  const std::string url = "data:image/png;base64," + to_base64(encode_png(image));
  Wish edit = wish();
  read_picture(url, "init", edit.init);
  Order order = make_order("pets", card(), 8, edit);
  EXPECT_TRUE(at::equal(order.edit->image, image));
  EXPECT_EQ(order.settings.strength, 0.6);
  read_picture(to_base64(encode_png(image)), "mask", edit.mask);
  order = make_order("pets", card(), 8, edit);
  EXPECT_EQ(order.settings.strength, 1);
  EXPECT_TRUE(order.edit->repaint.all().item<bool>());
  read_picture(to_base64("GIF89a"), "init", edit.init);
  expect_mentions(error_of([&] { make_order("pets", card(), 8, edit); }), {"init"});
}

TEST(Order, EverySettingIsReadByItsKeyAndChecked) {
  SampleConfig settings;
  read_settings(json::parse(R"({"steps": 7, "cfg_scale": 3, "sampler": "ddim", "clip_x0": true, "other": 1})"),
                settings);
  EXPECT_EQ(settings.sampler.steps, 7);
  EXPECT_EQ(settings.cfg_scale, 3);
  EXPECT_EQ(settings.sampler.kind, "ddim");
  EXPECT_TRUE(settings.sampler.clip_x0);
  SampleConfig::visit([&](const Setting& setting, auto) {
    if (setting.key == "latent_scale") return;
    for (const json& bad : {json("x"), json(-1), json::array()}) {
      if (setting.key == "cfg_scale" && bad == -1) continue;
      expect_mentions(error_of([&] {
                        read_settings({{std::string(setting.key), bad}}, settings);
                      }),
                      {setting.key.data()});
    }
  });
  expect_mentions(error_of([&] { read_settings({{"steps", kMostSteps + 1}}, settings); }), {"steps", "1 to 1000"});
}

TEST(Order, ASettingMayHaveAnotherName) {
  SampleConfig settings;
  read_setting(json::parse(R"({"denoising_strength": 0.3})"), "denoising_strength", "strength", settings);
  EXPECT_EQ(settings.strength, 0.3);
  for (const char* bad : {"0", "1.5", "\"1\""})
    expect_mentions(error_of([&] {
                      read_setting(json::parse(fmt::format(R"({{"denoising_strength": {}}})", bad)),
                                   "denoising_strength", "strength", settings);
                    }),
                    {"denoising_strength is", "0.01 to 1"});
}

TEST(Order, SeedsAreKeptToTheLastDigit) {
  EXPECT_EQ(read_seed(json::parse(R"({"seed": 18446744073709551615})"), "seed"), UINT64_MAX);
  EXPECT_FALSE(read_seed(json::object(), "seed"));
  EXPECT_LT(*read_seed({{"seed", -1}}, "seed"), uint64_t{1} << 32);
  for (const char* bad : {"-2", "1.5", "\"1\"", "1e30"})
    expect_mentions(error_of([&] { read_seed(json::parse(fmt::format(R"({{"seed": {}}})", bad)), "seed"); }),
                    {"seed is"});
}

TEST(Order, AWishHasEveryField) {
  Wish wish{SampleConfig()};
  read_wish(json::parse(R"({"prompt": "a", "negative": "b", "class": 3, "seeds": [1, 2], "to_prompt": "c", "to_seed": 4,
                            "frames": 5, "steps": 6, "unknown": []})"),
            wish);
  EXPECT_EQ(wish.prompt + wish.negative + *wish.to_prompt + wish.label, "abc3");
  EXPECT_EQ(wish.seeds, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(wish.to_seed, 4u);
  EXPECT_EQ(wish.frames, 5);
  EXPECT_EQ(wish.settings.sampler.steps, 6);
  for (const char* bad : {R"({"seeds": [null]})", R"({"seeds": 1})", R"({"class": []})", R"({"init": 1})"})
    error_of([&] { read_wish(json::parse(bad), wish); });
}

TEST(Order, NumbersOfClientsThatWriteThemWithAPoint) {
  int64_t value = 5;
  read_field(json::parse(R"({"n": 3.0})"), "n", value, 1, 10);
  EXPECT_EQ(value, 3);
  read_field(json::parse(R"({"n": null})"), "n", value, 1, 10);
  EXPECT_EQ(value, 3);
  for (const char* bad : {"0", "11", "1.5", "\"3\"", "true", "1e300"})
    expect_mentions(error_of([&] { read_field(json::parse(fmt::format(R"({{"n": {}}})", bad)), "n", value, 1, 10); }),
                    {"n is"});
}

}  // namespace
}  // namespace uvic::order_test
