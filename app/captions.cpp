#include "app/captions.h"

#include <algorithm>

#include "app/image_source.h"
#include "app/prompts.h"
#include "app/recipe.h"
#include "core/files.h"
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

// "" if it is no PNG or carries no recipe.
std::string prompt_in(std::string_view bytes, const std::string& name) {
  if (image_format(bytes) != "png") return "";
  for (const auto& [key, value] : png_text(bytes, name))
    if (key == kParametersKey) return parse_parameters(value, name).prompt;
  return "";
}

}  // namespace

std::shared_ptr<const Dataset> open_captions(const std::string& text, int64_t limit) {
  if (fs::is_regular_file(text)) return std::make_shared<CaptionList>(text, read_prompts(text));
  const std::string kind = text.substr(0, text.find_first_of(":?"));
  if (std::ranges::none_of(dataset_kinds(), [&](const auto& entry) { return entry.name == kind; }))
    fail("--prompts: there is no '{}': expected a file of prompts, one a line, or a data SPEC with captions", text);
  Spec spec = Spec::parse(text);
  if (limit > 0 && !spec.options.contains("limit")) spec.options["limit"] = std::to_string(limit);
  std::shared_ptr<const Dataset> data = open_dataset(spec);
  caption_of(*data, 0);
  return data;
}

std::shared_ptr<const Dataset> captions_of_files(const std::filesystem::path& path, int64_t count) {
  const FileTree tree(path);
  std::vector<std::string> names = image_names(tree);
  names.resize(count);
  const auto beside = captions_beside(tree, names);
  std::vector<std::string> captions(names.size()), others;
  std::vector<size_t> places;
  for (size_t i = 0; i < names.size(); ++i) {
    if (const auto found = beside.find(names[i]); found != beside.end()) {
      captions[i] = found->second.front();
    } else {
      others.push_back(names[i]);
      places.push_back(i);
    }
  }
  tree.read(others, [&](size_t i, std::string_view bytes) { captions[places[i]] = prompt_in(bytes, others[i]); });
  for (size_t i = 0; i < names.size(); ++i)
    if (captions[i].empty())
      fail(
          "no caption for {} in {}: expected it in {}.txt, in metadata.jsonl, or in a PNG of `uvic sample`; or give "
          "captions with --prompts",
          names[i], path.string(), fs::path(names[i]).stem().string());
  return std::make_shared<CaptionList>(path.string(), std::move(captions));
}

std::string caption_of(const Dataset& captions, int64_t i) {
  const int64_t like = i % captions.size();
  const auto all = captions.captions(like);
  if (all.empty()) fail("image {} of {} has no caption: give captions with --prompts", like, captions.description());
  return all.front();
}

}  // namespace uvic
