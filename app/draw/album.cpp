#include "app/draw/album.h"

#include <algorithm>

#include "app/cli/results.h"
#include "core/files.h"
#include "core/interrupt.h"

namespace uvic {
namespace {

// Strips and grids carry the recipe of their first picture under keys of their own: no one recipe makes them.
constexpr const char *kStripKey = "strip", *kGridKey = "grid";

PngText text_of(const char* key, const Recipe& recipe) {
  return {{key, to_parameters(recipe)}};
}

}  // namespace

Album::Album(const Model& model, const SamplePlan& plan, const GenerateOptions& how, PictureFiles& files,
             std::optional<int64_t> columns, const std::optional<Share>& share)
    : model_(model),
      plan_(plan),
      how_(how),
      files_(files),
      columns_(columns.value_or(0)),
      shows_all_(columns || files.single_file()),
      is_share_(share) {
  const Stretch rows = share.value_or(Share()).of(plan.size() / plan.frames());
  part_ = {rows.begin * plan.frames(), rows.end * plan.frames()};
  asked_ = added_ = part_.begin;
}

Recipe Album::recipe_of_strip(int64_t row) const {
  Recipe recipe = this->recipe(row * plan_.frames());
  recipe.prompt = fmt::format("{} frames: {}", std::max(how_.strip, plan_.frames()), recipe.prompt);
  return recipe;
}

Recipe Album::recipe_of_grid() const {
  std::string all;
  for (int64_t i = 0; i < plan_.size(); ++i) all += to_parameters(recipe(i)) + '\n';
  Recipe recipe = this->recipe(0);
  recipe.prompt = fmt::format("{} images in {} columns with recipes of SHA-256 {}, strips of {}: {}", plan_.size(),
                              columns_, sha256_of_bytes(all), how_.strip, recipe.prompt);
  return recipe;
}

bool Album::is_drawn(int64_t i) const {
  return pictures_.contains(i) && (how_.strip == 0 || strips_.contains(i));
}

void Album::resume(DrawnBefore before) {
  before_ = std::move(before);
  for (int64_t i = 0; i < plan_.size(); ++i) {
    stop_if_interrupted();
    if (const auto file = before_->take(kParametersKey, recipe(i))) {
      pictures_[i] = *file;
      const auto number = PictureFiles::number_of(*file);
      if (!first_number_ && number && *number >= i) first_number_ = *number - i;
    }
    if (begins_strip(i))
      if (const auto file = before_->take(kStripKey, recipe_of_strip(i / plan_.frames())))
        strips_[i / plan_.frames()] = *file;
    drawn_ += is_drawn(i);
  }
}

void Album::resume_share() {
  for (int64_t i = part_.begin; i < part_.end; ++i) {
    stop_if_interrupted();
    if (const fs::path file = files_.numbered(i); carries(file, kParametersKey, recipe(i))) pictures_[i] = file;
    const int64_t row = i / plan_.frames();
    if (const fs::path file = files_.named(kStripKey, row);
        begins_strip(i) && carries(file, kStripKey, recipe_of_strip(row)))
      strips_[row] = file;
    drawn_ += is_drawn(i);
  }
}

void Album::expect_free() const {
  for (int64_t i = part_.begin; i < part_.end; ++i) {
    if (!pictures_.contains(i)) files_.expect_free(files_.numbered(i));
    const int64_t row = i / plan_.frames();
    if (begins_strip(i) && !strips_.contains(row)) files_.expect_free(files_.named(kStripKey, row));
  }
}

std::optional<Request> Album::next() {
  while (asked_ < part_.end && is_drawn(asked_)) ++asked_;
  if (asked_ == part_.end) return std::nullopt;
  return plan_.request(asked_++);
}

void Album::add(const Request& request, const Drawing& drawing) {
  const int64_t i = request.number;
  pass_to(i);
  added_ = i + 1;
  ++drawn_;
  if (!files_.single_file() && !pictures_.contains(i)) {
    const PngText text = text_of(kParametersKey, recipe(i));
    std::optional<int64_t> number;
    if (first_number_) number = *first_number_ + i;
    show(is_share_ ? files_.write_as(files_.numbered(i), drawing.image, text)
                   : files_.write(drawing.image, text, number));
  }
  if (how_.strip > 0)
    add_tile(i, at::cat(drawing.strip, /*dim=*/1));
  else
    add_frame(i, drawing.image);
}

// What lies before request i and was drawn before.
void Album::pass_to(int64_t i) {
  for (; added_ < i; ++added_) {
    if (!is_drawn(added_)) continue;  // it could not be drawn
    const int64_t row = added_ / plan_.frames();
    if (!shows_all_ && (plan_.frames() == 1 || strips_.contains(row))) continue;
    if (how_.strip > 0)
      add_tile(row, read_image(strips_.at(row)));
    else
      add_frame(added_, read_image(pictures_.at(added_)));
  }
}

void Album::add_frame(int64_t i, const Tensor& image) {
  if (i % plan_.frames() == 0) frames_.clear();
  frames_.push_back(image);
  if (std::ssize(frames_) == plan_.frames()) add_tile(i / plan_.frames(), at::cat(frames_, /*dim=*/1));
}

void Album::add_tile(int64_t row, const Tensor& tile) {
  const bool is_strip = how_.strip > 0 || plan_.frames() > 1;
  if (is_strip && !files_.single_file() && !strips_.contains(row)) {
    const PngText text = text_of(kStripKey, recipe_of_strip(row));
    show(is_share_ ? files_.write_as(files_.named(kStripKey, row), tile, text)
                   : files_.write_named(kStripKey, tile, text));
  }
  if (shows_all_) tiles_.push_back(tile);
}

void Album::show(const fs::path& file) {
  print_file(file);
  written_.push_back(file.string());
}

void Album::finish() {
  pass_to(part_.end);
  if (!shows_all_ || tiles_.empty()) return;
  const bool is_strip = how_.strip > 0 || plan_.frames() > 1;
  const int64_t rows = plan_.size() / plan_.frames();
  if (files_.single_file() && rows == 1) {
    show(files_.write(tiles_.front(),
                      text_of(is_strip ? kStripKey : kParametersKey, is_strip ? recipe_of_strip(0) : recipe(0))));
    return;
  }
  if (before_ && before_->take(kGridKey, recipe_of_grid())) return;
  std::vector<std::string> captions;
  const bool prompts_differ = std::ranges::any_of(plan_.prompts, [&](const auto& p) { return p != plan_.prompts[0]; });
  if (prompts_differ)
    for (int64_t row = 0; row < std::ssize(tiles_); ++row)
      captions.push_back(plan_.request(row * plan_.frames()).prompt);
  const Tensor picture = make_grid(tiles_, captions, {.columns = columns_, .min_tile = prompts_differ ? 128 : 0});
  const PngText text = text_of(kGridKey, recipe_of_grid());
  show(files_.single_file() ? files_.write(picture, text) : files_.write_named("grid", picture, text));
}

}  // namespace uvic
