#include "datasets/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <sstream>

#include "tests/temporary.h"

namespace uvic::shapes_test {
namespace {

// A caption taken apart by its own grammar.
struct Parsed {
  std::string size, colour, form, relation, colour2, form2, background;
};

Parsed parse(const std::string& caption) {
  std::istringstream words(caption);
  std::string word;
  const auto next = [&] { return words >> word ? word : std::string(); };
  Parsed parsed;
  const std::string article = next();
  EXPECT_EQ(article, next() == "orange" ? "an" : "a") << caption;
  if (word == "small" || word == "large") {
    parsed.size = word;
    next();
  }
  parsed.colour = word;
  parsed.form = next();
  next();
  if (word == "left" || word == "right" || word == "above" || word == "below") {
    parsed.relation = word;
    if (word == "left" || word == "right") {
      EXPECT_EQ(next(), "of") << caption;
    }
    const std::string article = next();
    parsed.colour2 = next();
    EXPECT_EQ(article, parsed.colour2 == "orange" ? "an" : "a") << caption;
    parsed.form2 = next();
    next();
  }
  if (word == "on") {
    EXPECT_EQ(next(), "a") << caption;
    parsed.background = next();
    EXPECT_EQ(next(), "background") << caption;
  }
  return parsed;
}

const std::map<std::string, std::array<int, 3>> kRgb = {
    {"white", {255, 255, 255}}, {"black", {0, 0, 0}},     {"grey", {128, 128, 128}},  {"red", {225, 35, 40}},
    {"green", {30, 160, 65}},   {"blue", {40, 75, 230}},  {"yellow", {250, 215, 20}}, {"purple", {140, 45, 190}},
    {"orange", {250, 130, 20}}, {"cyan", {25, 200, 225}},
};

Tensor image(const Dataset& data, int64_t index) {
  return data.images(std::vector<int64_t>{index})[0];
}

// The pixels of exactly this colour: [H, W] bool.
Tensor mask(const Tensor& image, const std::string& colour) {
  const auto& rgb = kRgb.at(colour);
  return (image[0] == rgb[0]) & (image[1] == rgb[1]) & (image[2] == rgb[2]);
}

// Centre of mass, bounding box and number of the pixels of a mask.
struct Extent {
  double x, y, left, right, top, bottom, area;
};
Extent extent(const Tensor& mask) {
  const Tensor places = mask.nonzero();
  const auto column = places.select(1, 1).to(at::kDouble), row = places.select(1, 0).to(at::kDouble);
  return {column.mean().item<double>(),       row.mean().item<double>(), column.min().item<double>(),
          column.max().item<double>(),        row.min().item<double>(),  row.max().item<double>(),
          static_cast<double>(places.size(0))};
}

TEST(Shapes, HasTheStatedSizeAndType) {
  const auto data = open_dataset("shapes");
  EXPECT_EQ(data->size(), 20000);
  EXPECT_EQ(open_dataset("shapes?split=test")->size(), 2000);
  EXPECT_EQ(open_dataset("shapes?limit=7")->size(), 7);
  EXPECT_EQ(open_dataset("shapes?count=70000")->size(), 70000);
  EXPECT_EQ(data->image_size(), 32);
  const Tensor images = data->images(std::vector<int64_t>{5, 5, 19999});
  EXPECT_EQ(images.sizes(), (at::IntArrayRef{3, 3, 32, 32}));
  EXPECT_EQ(images.scalar_type(), at::kByte);
  EXPECT_EQ(data->label(0), -1);
  EXPECT_TRUE(data->classes().empty());
}

TEST(Shapes, ImageIsAPureFunctionOfSeedSplitAndIndex) {
  const auto data = open_dataset("shapes");
  std::vector<int64_t> all(300);
  std::iota(all.begin(), all.end(), 0);
  const Tensor images = data->images(all);
  std::vector<int64_t> backwards(all.rbegin(), all.rend());
  EXPECT_TRUE(at::equal(images.flip({0}), open_dataset("shapes?limit=300&count=5000")->images(backwards)));
  EXPECT_TRUE(at::equal(images[17], image(*data, 17)));
  for (const auto* other : {"shapes?seed=1", "shapes?split=test"}) {
    const auto differs = (images != open_dataset(other)->images(all)).flatten(1).any(1);
    EXPECT_TRUE(differs.all().item<bool>()) << other;
  }
}

TEST(Shapes, OneFigureLeavesOutThePairsOnly) {
  const auto both = open_dataset("shapes"), single = open_dataset("shapes?figures=1");
  const auto is_pair = [](const Dataset& data, int64_t i) {
    const std::string caption = data.captions(i).front();
    return std::ranges::any_of(std::array{" above ", " below ", " of "},
                               [&](const char* word) { return caption.find(word) != std::string::npos; });
  };
  int64_t pairs = 0;
  for (int64_t i = 0; i < 100; ++i) {
    EXPECT_FALSE(is_pair(*single, i));
    EXPECT_EQ(at::equal(image(*both, i), image(*single, i)), !is_pair(*both, i)) << i;
    pairs += is_pair(*both, i);
  }
  EXPECT_GT(pairs, 30);
}

TEST(Shapes, AreOfTheOneColourThatIsAskedFor) {
  const auto usual = open_dataset("shapes?count=50"), pink = open_dataset("shapes?count=50&colour=pink"),
             some = open_dataset("shapes?count=50&colour=pink&every=3");
  for (int64_t i = 0; i < pink->size(); ++i) {
    const std::string caption = pink->captions(i).front();
    EXPECT_EQ(usual->captions(i).front().find("pink"), std::string::npos);
    EXPECT_NE(caption.find("pink"), std::string::npos);
    for (const char* colour : {"red", "green", "blue", "yellow", "purple", "orange", "cyan"})
      EXPECT_EQ(caption.find(colour), std::string::npos) << caption;
    EXPECT_FALSE(at::equal(pink->images(std::span(&i, 1)), usual->images(std::span(&i, 1))));
    EXPECT_EQ(some->captions(i), (i % 3 == 0 ? pink : usual)->captions(i));
  }
}

TEST(Shapes, SizeChangesTheResolutionNotTheScene) {
  const auto small = open_dataset("shapes?size=32"), large = open_dataset("shapes?size=256");
  for (int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(small->captions(i), large->captions(i));
    const Tensor shrunk = at::avg_pool2d(image(*large, i).to(at::kFloat), {8, 8});
    const Tensor error = (shrunk - image(*small, i).to(at::kFloat)).abs();
    // Coverage from the distance of the pixel's centre is off by up to a third at sharp corners, and right on average.
    EXPECT_LT(error.max().item<float>(), 255 * 0.33) << i;
    EXPECT_LT(error.mean().item<float>(), 1.5) << i;
  }
}

TEST(Shapes, CaptionsAreTrue) {
  const auto data = open_dataset("shapes?size=96&limit=600");
  for (int64_t i = 0; i < data->size(); ++i) {
    const auto captions = data->captions(i);
    const Parsed scene = parse(captions[0]);
    const Tensor picture = image(*data, i);
    SCOPED_TRACE(captions[0]);
    const Tensor background = mask(picture, scene.background);
    for (const int64_t corner : {0, 95, 95 * 96, 96 * 96 - 1}) EXPECT_TRUE(background.flatten()[corner].item<bool>());
    const Tensor first = mask(picture, scene.colour);
    if (scene.relation.empty()) {
      const Extent e = extent(first);
      const double height = (e.bottom - e.top) / 96;
      if (scene.size == "small") {
        EXPECT_LT(height, 0.4);
      }
      if (scene.size == "large") {
        EXPECT_GT(height, 0.5);
      }
      EXPECT_GT(e.area, 96 * 96 * 0.02);
    } else if (scene.colour != scene.colour2) {
      const Extent a = extent(first), b = extent(mask(picture, scene.colour2));
      // An edge between two colours can hold pixels of a third, so centres are compared rather than outlines.
      if (scene.relation == "above") {
        EXPECT_LT(a.y, b.y - 30);
      } else if (scene.relation == "below") {
        EXPECT_GT(a.y, b.y + 30);
      } else if (scene.relation == "left") {
        EXPECT_LT(a.x, b.x - 30);
      } else {
        EXPECT_GT(a.x, b.x + 30);
      }
    }
  }
}

TEST(Shapes, FormsAreWhatTheirNamesSay) {
  const auto data = open_dataset("shapes?size=128&limit=1200");
  std::map<std::string, int> seen;
  for (int64_t i = 0; i < data->size(); ++i) {
    const Parsed scene = parse(data->captions(i)[0]);
    if (!scene.relation.empty()) continue;
    ++seen[scene.form];
    const Extent e = extent(mask(image(*data, i), scene.colour));
    const double fill = e.area / ((e.right - e.left + 1) * (e.bottom - e.top + 1));
    const double drop = (e.y - (e.top + e.bottom) / 2) / (e.bottom - e.top);  // how far the mass lies below the middle
    SCOPED_TRACE(data->captions(i)[0]);
    if (scene.form == "circle") {
      EXPECT_NEAR(fill, 0.785, 0.03);
    }
    if (scene.form == "square") {
      EXPECT_GT(fill, 0.78);
    }
    if (scene.form == "triangle") {
      EXPECT_NEAR(drop, 1.0 / 6, 0.05);
    }
    if (scene.form == "diamond") {
      EXPECT_NEAR(fill, 0.5, 0.09);
    }
    if (scene.form != "triangle") {
      EXPECT_NEAR(drop, 0, 0.03);
    }
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST(Shapes, EdgesAreAntialiased) {
  const auto data = open_dataset("shapes?limit=200");
  for (int64_t i = 0; i < data->size(); ++i) {
    const Parsed scene = parse(data->captions(i)[0]);
    if (scene.form != "circle" || !scene.relation.empty()) continue;
    const Tensor picture = image(*data, i);
    const Tensor mixed = ~mask(picture, scene.background) & ~mask(picture, scene.colour);
    EXPECT_GT(mixed.sum().item<int64_t>(), 12) << data->captions(i)[0];
  }
}

TEST(Shapes, CaptionVariantsDescribeTheSameScene) {
  const auto data = open_dataset("shapes?limit=300");
  const std::map<std::string, std::string> inverse = {
      {"above", "below"}, {"below", "above"}, {"left", "right"}, {"right", "left"}};
  for (int64_t i = 0; i < data->size(); ++i) {
    const auto captions = data->captions(i);
    EXPECT_GE(captions.size(), 2u);
    const Parsed full = parse(captions[0]);
    EXPECT_FALSE(full.background.empty()) << captions[0];
    int plain = 0;
    for (const auto& caption : captions) {
      const Parsed variant = parse(caption);
      plain += variant.background.empty();
      if (!variant.background.empty()) {
        EXPECT_EQ(variant.background, full.background);
      }
      if (variant.relation == full.relation) {
        EXPECT_EQ(variant.colour + variant.form, full.colour + full.form) << caption;
      } else {
        EXPECT_EQ(variant.relation, inverse.at(full.relation)) << caption;
        EXPECT_EQ(variant.colour + variant.form, full.colour2 + full.form2) << caption;
        EXPECT_EQ(variant.colour2 + variant.form2, full.colour + full.form) << caption;
      }
    }
    EXPECT_EQ(plain * 2, static_cast<int>(captions.size()));
  }
}

TEST(Shapes, EveryCombinationComesAndNoneIsImpossible) {
  const auto data = open_dataset("shapes");
  std::set<std::string> objects, pairs, backgrounds;
  for (int64_t i = 0; i < data->size(); ++i) {
    const Parsed scene = parse(data->captions(i)[0]);
    EXPECT_NE(scene.colour, scene.background);
    EXPECT_NE(scene.colour2, scene.background);
    EXPECT_NE(scene.colour + scene.form, scene.colour2 + scene.form2);
    backgrounds.insert(scene.background);
    if (scene.relation.empty())
      objects.insert(scene.size + scene.colour + scene.form);
    else
      pairs.insert(scene.colour + scene.form + scene.relation + scene.form2);
  }
  EXPECT_EQ(backgrounds, (std::set<std::string>{"black", "grey", "white"}));
  EXPECT_EQ(objects.size(), 3u * 10 * 4);
  EXPECT_EQ(pairs.size(), 10u * 4 * 4 * 4);
}

TEST(Shapes, MistakesAreNamed) {
  const std::pair<const char*, const char*> cases[] = {{"shapes:/data", "take no path"},
                                                       {"shapes?size=4", "'size' must be at least 8"},
                                                       {"shapes?count=0", "'count' must be at least 1"},
                                                       {"shapes?colour=grey", "expected one of red"},
                                                       {"shapes?colour=red&every=0", "'every' is 0"},
                                                       {"shapes?every=2", "'colour'"},
                                                       {"shapes?figures=3", "must be 1 or 2"},
                                                       {"shapes?hue=red", "seed, count"}};
  for (const auto& [spec, part] : cases) {
    SCOPED_TRACE(part);
    expect_mentions(error_of([&] { open_dataset(spec); }), {part});
  }
}

}  // namespace
}  // namespace uvic::shapes_test
