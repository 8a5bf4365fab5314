#include "datasets/shapes.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/error.h"
#include "core/random.h"

namespace uvic {
namespace {

struct Colour {
  std::string_view name;
  std::array<float, 3> rgb;
};
constexpr Colour kColours[] = {
    {"white", {255, 255, 255}}, {"black", {0, 0, 0}},     {"grey", {128, 128, 128}},  {"red", {225, 35, 40}},
    {"green", {30, 160, 65}},   {"blue", {40, 75, 230}},  {"yellow", {250, 215, 20}}, {"purple", {140, 45, 190}},
    {"orange", {250, 130, 20}}, {"cyan", {25, 200, 225}}, {"pink", {250, 120, 180}},
};
constexpr int kBackgrounds = 3;  // the first so many colours
constexpr int kUsual = 10;  // shapes take any of the first so many but their background; others are asked for by name
constexpr int kAnyColour = -1;

enum class Form { kCircle, kSquare, kTriangle, kDiamond };
constexpr std::string_view kForms[] = {"circle", "square", "triangle", "diamond"};

enum class Relation { kAbove, kBelow, kLeft, kRight };  // of the first figure to the second; x ^ 1 is the inverse of x
constexpr std::string_view kRelations[] = {"above", "below", "left of", "right of"};

constexpr std::string_view kSizes[] = {"", "small ", "large "};
constexpr float kRadii[] = {0.26f, 0.16f, 0.36f};
constexpr float kPairRadius = 0.2f;

// Lengths are in units of the image's side, y points down.
struct Figure {
  Form form;
  int colour;
  float x, y, radius, angle;
};

struct Scene {
  int background, count, size_word = 0;
  Relation relation = Relation::kAbove;
  std::array<Figure, 2> figures;
};

// Numbers drawn one after the other for one scene.
class Draws {
 public:
  Draws(uint64_t seed, uint64_t split, uint64_t index)
      : key_(hash_mix({seed, static_cast<uint64_t>(Stream::kScene), split, index})) {}
  int below(int n) { return static_cast<int>(next() % n); }
  float around(float centre, float spread) { return centre + spread * (2 * unit() - 1); }

 private:
  uint64_t next() { return hash_mix({key_, count_++}); }
  float unit() { return static_cast<float>(next() >> 40) * 0x1p-24f; }
  uint64_t key_, count_ = 0;
};

Figure draw_figure(Draws& draws, int background, int only) {
  Figure figure{};
  figure.form = static_cast<Form>(draws.below(std::size(kForms)));
  figure.colour = draws.below(kUsual - 1);
  if (figure.colour >= background) ++figure.colour;
  if (only != kAnyColour) figure.colour = only;
  figure.angle = draws.around(0, 0.12f);  // radians: a square never turns into a diamond
  return figure;
}

Scene make_scene(uint64_t seed, uint64_t split, uint64_t index, bool pairs, int colour) {
  Draws draws(seed, split, index);
  Scene scene{};
  scene.background = draws.below(kBackgrounds);
  scene.count = draws.below(5) < 2 || !pairs ? 1 : 2;
  auto& [first, second] = scene.figures;
  first = draw_figure(draws, scene.background, colour);
  if (scene.count == 1) {
    scene.size_word = draws.below(std::size(kSizes));
    first.radius = kRadii[scene.size_word] * draws.around(1, 0.06f);
    const float room = 0.45f - first.radius;  // keeps the figure inside the picture
    first.x = draws.around(0.5f, room);
    first.y = draws.around(0.5f, room);
    return scene;
  }
  do {
    second = draw_figure(draws, scene.background, colour);
  } while (first.form == second.form && first.colour == second.colour);
  scene.relation = static_cast<Relation>(draws.below(std::size(kRelations)));
  const bool vertical = scene.relation == Relation::kAbove || scene.relation == Relation::kBelow;
  const bool forward = scene.relation == Relation::kAbove || scene.relation == Relation::kLeft;
  for (Figure* figure : {&first, &second}) {
    figure->radius = draws.around(kPairRadius, 0.015f);
    const float along = draws.around((figure == &first) == forward ? 0.26f : 0.74f, 0.02f);
    const float across = draws.around(0.5f, 0.1f);
    figure->x = vertical ? across : along;
    figure->y = vertical ? along : across;
  }
  return scene;
}

// A convex polygon around the origin as half-planes x nx + y ny <= offset, for radius 1. The forms cover similar areas.
struct HalfPlane {
  float nx, ny, offset;
};
std::vector<HalfPlane> half_planes(Form form) {
  switch (form) {
    case Form::kSquare:
      return {{1, 0, 0.88f}, {-1, 0, 0.88f}, {0, 1, 0.88f}, {0, -1, 0.88f}};
    case Form::kTriangle: {  // equilateral, apex up, its circumcentre 0.2 below the origin
      constexpr float kSlant = std::numbers::sqrt3_v<float> / 2;
      return {{0, 1, 0.8f}, {kSlant, -0.5f, 0.5f}, {-kSlant, -0.5f, 0.5f}};
    }
    case Form::kDiamond: {  // half axes 0.8 and 1.15
      const float length = std::hypot(1 / 0.8f, 1 / 1.15f), nx = 1 / 0.8f / length, ny = 1 / 1.15f / length;
      return {{nx, ny, 1 / length}, {-nx, ny, 1 / length}, {nx, -ny, 1 / length}, {-nx, -ny, 1 / length}};
    }
    case Form::kCircle:
      break;
  }
  return {};
}

// Blends the figure into `image` ([3][size][size]); a pixel's coverage is the signed distance of its centre, clamped.
void paint(const Figure& figure, int64_t size, float* image) {
  const float cosine = std::cos(figure.angle), sine = std::sin(figure.angle);
  auto planes = half_planes(figure.form);
  for (auto& plane : planes)
    plane = {plane.nx * cosine - plane.ny * sine, plane.nx * sine + plane.ny * cosine, plane.offset * figure.radius};
  const auto& rgb = kColours[figure.colour].rgb;
  const float reach = 1.3f * figure.radius + 1.0f / size;
  const auto pixel = [&](float at) { return std::clamp<int64_t>(static_cast<int64_t>(at * size), 0, size); };
  for (int64_t row = pixel(figure.y - reach); row < pixel(figure.y + reach + 1.0f / size); ++row) {
    for (int64_t column = pixel(figure.x - reach); column < pixel(figure.x + reach + 1.0f / size); ++column) {
      const float x = (column + 0.5f) / size - figure.x, y = (row + 0.5f) / size - figure.y;
      float distance = planes.empty() ? std::sqrt(x * x + y * y) - figure.radius : -1;
      for (const auto& [nx, ny, offset] : planes) distance = std::max(distance, x * nx + y * ny - offset);
      const float coverage = std::clamp(0.5f - distance * size, 0.0f, 1.0f);
      for (int channel = 0; channel < 3; ++channel) {
        float& value = image[(channel * size + row) * size + column];
        value += coverage * (rgb[channel] - value);
      }
    }
  }
}

std::string name(const Figure& figure, std::string_view size_word = "") {
  const std::string words =
      fmt::format("{}{} {}", size_word, kColours[figure.colour].name, kForms[static_cast<size_t>(figure.form)]);
  return (words[0] == 'o' ? "an " : "a ") + words;  // "orange" is the only word that begins with a vowel
}

class Shapes final : public Dataset {
 public:
  Shapes(uint64_t seed, bool test, bool pairs, int colour, int64_t every, int64_t count, int64_t size)
      : seed_(seed), test_(test), pairs_(pairs), colour_(colour), every_(every), count_(count), size_(size) {}

  int64_t size() const override { return count_; }
  int64_t image_size() const override { return size_; }

  Tensor images(std::span<const int64_t> indices) const override {
    const int64_t n = static_cast<int64_t>(indices.size()), area = size_ * size_;
    Tensor images = at::empty({n, 3, size_, size_}, at::kByte);
    auto* out = images.mutable_data_ptr<uint8_t>();
    at::parallel_for(0, n, 8, [&](int64_t begin, int64_t end) {
      std::vector<float> image(3 * area);
      for (int64_t i = begin; i < end; ++i) {
        const Scene scene = this->scene(indices[i]);
        for (int channel = 0; channel < 3; ++channel)
          std::fill_n(image.begin() + channel * area, area, kColours[scene.background].rgb[channel]);
        for (int k = 0; k < scene.count; ++k) paint(scene.figures[k], size_, image.data());
        std::ranges::transform(image, out + 3 * area * i, [](float v) { return static_cast<uint8_t>(v + 0.5f); });
      }
    });
    return images;
  }

  // The fullest description first.
  std::vector<std::string> captions(int64_t index) const override {
    const Scene scene = this->scene(index);
    const auto& [first, second] = scene.figures;
    const std::string background = fmt::format(" on a {} background", kColours[scene.background].name);
    std::vector<std::string> subjects;
    if (scene.count == 1) {
      subjects.push_back(name(first, kSizes[scene.size_word]));
      if (scene.size_word > 0) subjects.push_back(name(first));
    } else {
      const auto relation = static_cast<size_t>(scene.relation);
      subjects.push_back(fmt::format("{} {} {}", name(first), kRelations[relation], name(second)));
      subjects.push_back(fmt::format("{} {} {}", name(second), kRelations[relation ^ 1], name(first)));
    }
    std::vector<std::string> captions;
    for (const auto& subject : subjects) captions.push_back(subject + background);
    captions.insert(captions.end(), subjects.begin(), subjects.end());
    return captions;
  }

  std::string description() const override {
    const std::string_view colour = colour_ == kAnyColour || every_ > 1 ? "coloured" : kColours[colour_].name;
    const std::string some = every_ > 1 ? fmt::format(", {} in one of {}", kColours[colour_].name, every_) : "";
    return fmt::format("procedural scenes of one{} {} shape{}{}, {} split, seed {}", pairs_ ? " or two" : "", colour,
                       pairs_ ? "s" : "", some, test_ ? "test" : "train", seed_);
  }

 private:
  Scene scene(int64_t index) const {
    TORCH_CHECK(index >= 0 && index < count_, "shapes: image ", index, " of ", count_);
    return make_scene(seed_, test_, index, pairs_, index % every_ == 0 ? colour_ : kAnyColour);
  }

  uint64_t seed_;
  bool test_, pairs_;
  int colour_;     // of all shapes
  int64_t every_;  // in one of so many scenes
  int64_t count_, size_;
};

// The colour of that name, "": any. A shape of a background's colour could not be seen.
int parse_colour(const Spec& spec, const std::string& name) {
  if (name.empty()) return kAnyColour;
  std::string known;
  for (int i = kBackgrounds; i < static_cast<int>(std::size(kColours)); ++i) {
    if (kColours[i].name == name) return i;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", kColours[i].name);
  }
  fail("data '{}': option 'colour' is '{}', expected one of {}", spec.text(), name, known);
}

}  // namespace

std::shared_ptr<const Dataset> open_shapes(const Spec& spec, const CommonOptions& options) {
  spec.expect_options({"seed", "count", "figures", "colour", "every"});
  if (!spec.path.empty())
    fail("data '{}': shapes are drawn, not read, and take no path: write shapes?option=value", spec.text());
  const bool test = options.split == "test";
  int64_t count = spec.get_int("count", test ? 2000 : 20000);
  if (count < 1) fail("data '{}': option 'count' must be at least 1, not {}", spec.text(), count);
  if (options.limit > 0) count = std::min(count, options.limit);
  const int64_t figures = spec.get_int("figures", 2);
  if (figures != 1 && figures != 2)
    fail("data '{}': option 'figures', the most in a scene, must be 1 or 2, not {}", spec.text(), figures);
  const int colour = parse_colour(spec, spec.get("colour", ""));
  const int64_t every = spec.get_int("every", 1);
  if (every < 1 || (every > 1 && colour == kAnyColour))
    fail("data '{}': option 'every' is {}, expected 1 or more scenes of which one has the option 'colour'", spec.text(),
         every);
  const int64_t size = options.size > 0 ? options.size : 32;
  if (size < 8)
    fail("data '{}': option 'size' must be at least 8 for shapes to be told apart, not {}", spec.text(), size);
  return std::make_shared<Shapes>(spec.get_int("seed", 0), test, figures == 2, colour, every, count, size);
}

}  // namespace uvic
