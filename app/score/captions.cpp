#include "app/score/captions.h"

#include <algorithm>

#include "app/cli/prompts.h"
#include "app/draw/recipe.h"
#include "app/score/image_source.h"
#include "core/files.h"
#include "core/formats/json_file.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "datasets/folder.h"

namespace uvic {
namespace {

// A data set of captions alone.
class CaptionList : public Dataset {
 public:
  CaptionList(std::string origin, std::vector<std::string> captions)
      : origin_(std::move(origin)), captions_(std::move(captions)) {}

  int64_t size() const override { return std::ssize(captions_); }
  int64_t image_size() const override { return 0; }
  Tensor images(std::span<const int64_t>) const override { TORCH_CHECK(false, origin_, " holds no images"); }
  std::vector<std::string> captions(int64_t i) const override { return {captions_.at(i)}; }
  std::string description() const override { return origin_; }

 private:
  std::string origin_;
  std::vector<std::string> captions_;
};

std::vector<std::string> read_captions(const std::string& file) {
  std::vector<std::string> captions = read_prompts(file);
  if (const auto json = try_parse_json(captions.front()); json && json->is_object())
    fail("--prompts {}: it holds JSON, expected prompts, one a line; for metadata.jsonl give its folder, folder:{}",
         file, (fs::path(".") / fs::path(file).parent_path()).lexically_normal().string());
  return captions;
}

// "" if it is no PNG or carries no recipe, be it damaged or with the text of another program.
std::string prompt_in(std::string_view bytes, const std::string& name) {
  if (image_format(bytes) != "png") return "";
  try {
    for (const auto& [key, value] : png_text(bytes, name))
      if (key == kParametersKey) return parse_parameters(value, name).prompt;
    return "";
  } catch (const Error&) {
    return "";
  }
}

bool can_be_read(std::string_view image, const std::string& name) {
  try {
    decode_image(image, name);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::shared_ptr<const Dataset> open_captions(const std::string& text, int64_t limit) {
  if (fs::is_regular_file(text)) return std::make_shared<CaptionList>(text, read_captions(text));
  if (!names_dataset(text))
    fail("--prompts: there is no '{}': expected a file of prompts, one a line, or a data SPEC with captions", text);
  Spec spec = Spec::parse(text);
  if (limit > 0 && !spec.options.contains("limit")) spec.options["limit"] = std::to_string(limit);
  std::shared_ptr<const Dataset> data = open_dataset(spec);
  caption_of(*data, 0);
  return data;
}

std::shared_ptr<const Dataset> captions_of_files(const FileTree& files, int64_t count) {
  std::vector<std::string> names = image_names(files);
  names.resize(count);
  LeftOut left_out(files.path().string());
  const auto beside = captions_beside(files, names, left_out);
  left_out.finish();
  std::vector<std::string> captions(names.size()), others;
  std::vector<size_t> places;
  for (size_t i = 0; i < names.size(); ++i) {
    if (const auto found = beside.find(names[i]); found != beside.end()) captions[i] = found->second.front();
    if (!captions[i].empty()) continue;
    others.push_back(names[i]);
    places.push_back(i);
  }
  const std::string path = files.path().string();
  if (others.empty()) return std::make_shared<CaptionList>(path, std::move(captions));

  Progress progress("captions in " + path, std::ssize(others), "image");
  int64_t done = 0;
  files.read(others, [&](size_t i, std::string_view bytes) {
    stop_if_interrupted();
    std::string& caption = captions[places[i]] = prompt_in(bytes, others[i]);
    if (caption.empty() && can_be_read(bytes, others[i]))
      fail(
          "no caption for {} in {}: expected it in {}.txt, in metadata.jsonl, or in a PNG of `uvic sample`; or give "
          "captions with --prompts",
          others[i], path, fs::path(others[i]).stem().string());
    progress.update(++done);
  });
  return std::make_shared<CaptionList>(path, std::move(captions));
}

std::string caption_of(const Dataset& captions, int64_t i) {
  const int64_t like = i % captions.size();
  const auto all = captions.captions(like);
  if (all.empty()) fail("image {} of {} has no caption: give captions with --prompts", like, captions.description());
  return all.front();
}

}  // namespace uvic
