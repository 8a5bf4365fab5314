#include "datasets/coco_captions.h"

#include <algorithm>
#include <map>
#include <optional>

#include "core/error.h"
#include "core/formats/json_file.h"
#include "datasets/pictures.h"

namespace uvic {
namespace {

using nlohmann::json;

constexpr int64_t kDefaultSize = 64;

// The captions file and the image folder of a split: they lie in the same tree, or each in its own zip.
struct Source {
  FileTree tree;
  std::string name;  // the captions file, or the image folder with a '/'
};

// The one name in the tree that is `suffix`, or ends with '/' + suffix.
std::optional<std::string> find_file(const FileTree& tree, const std::string& suffix) {
  for (const std::string& name : tree.names())
    if (('/' + name).ends_with('/' + suffix)) return name;
  return std::nullopt;
}

std::optional<Source> find_captions(const FileTree& tree, const std::string& split, const std::string& year) {
  const std::string file = "annotations/captions_" + split + year + ".json";
  if (const auto name = find_file(tree, file)) return Source{tree, *name};
  const auto zip = find_file(tree, "annotations_trainval" + year + ".zip");
  if (!zip || tree.is_archive()) return std::nullopt;
  FileTree inside(tree.path() / *zip);
  const auto name = find_file(inside, file);
  if (!name) fail("'{}' holds no {}", inside.path().string(), file);
  return Source{std::move(inside), *name};
}

std::optional<Source> find_images(const FileTree& tree, const std::string& folder) {
  const auto contains = [&folder](const FileTree& files) -> std::optional<Source> {
    for (const std::string& name : files.names()) {
      const size_t at = ('/' + name).find('/' + folder + '/');
      if (at != std::string::npos) return Source{files, name.substr(0, at + folder.size() + 1)};
    }
    return std::nullopt;
  };
  if (auto found = contains(tree)) return found;
  const auto zip = find_file(tree, folder + ".zip");
  if (!zip || tree.is_archive()) return std::nullopt;
  return contains(FileTree(tree.path() / *zip));
}

const json& list_of(const json& root, const char* key, const std::string& what) {
  if (!root.is_object() || !root.contains(key) || !root[key].is_array()) fail("{}: there is no list \"{}\"", what, key);
  return root[key];
}

// In the order of the image ids, the captions in that of theirs. Images without any caption are left out.
std::vector<Picture> parse_captions(const std::string& text, const std::string& file, const std::string& folder,
                                    LeftOut& left_out) {
  const std::string what = file + " is not a COCO captions file";
  const json root = parse_json(text, what + ": it");
  struct Captioned {
    std::string name;
    std::vector<std::pair<int64_t, std::string>> captions;  // with their ids
  };
  std::map<int64_t, Captioned> by_id;
  for (const json& image : list_of(root, "images", what)) {
    const int64_t id = json_whole(image, "id", what, INT64_MIN);
    const std::string name = folder + json_string(image, "file_name", what);
    if (const auto [place, is_new] = by_id.try_emplace(id, Captioned{name, {}}); !is_new && place->second.name != name)
      left_out.add("pictures with the id of another",
                   fmt::format("{}: '{}' and '{}' have the same id {}, and the first counts", file, place->second.name,
                               name, id));
  }
  for (const json& note : list_of(root, "annotations", what)) {
    const int64_t image = json_whole(note, "image_id", what, INT64_MIN), id = json_whole(note, "id", what, INT64_MIN);
    std::string caption = clean_caption(json_string(note, "caption", what));
    if (const auto found = by_id.find(image); found != by_id.end())
      found->second.captions.emplace_back(id, std::move(caption));
    else
      left_out.add("captions that belong to no picture",
                   fmt::format("{}: a caption is of the image id {}, which no picture has", file, image));
  }
  std::vector<Picture> pictures;
  for (auto& [id, row] : by_id) {
    if (row.captions.empty()) continue;
    std::ranges::stable_sort(row.captions, {}, &std::pair<int64_t, std::string>::first);  // an id may stand twice
    Picture picture{std::move(row.name), -1, {}};
    for (auto& [note_id, caption] : row.captions) picture.captions.push_back(std::move(caption));
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

}  // namespace

std::shared_ptr<const Dataset> open_coco(const Spec& spec, const CommonOptions& options) {
  spec.expect_options({"year"});
  if (spec.path.empty()) fail("data '{}' names no path: expected coco:PATH", spec.text());
  const std::string what = "coco:" + spec.path;
  const std::string split = options.split == "train" ? "train" : "val";
  std::string year = spec.get("year", "");
  if (!year.empty() && year != "2014" && year != "2017") fail("{}: year {} is neither 2014 nor 2017", what, year);

  const FileTree tree(spec.path);
  std::optional<Source> captions;
  for (const std::string candidate : {"2014", "2017"}) {
    if (!spec.get("year", "").empty() && candidate != spec.get("year", "")) continue;
    auto found = find_captions(tree, split, candidate);
    if (found && captions) fail("{} holds COCO 2014 and 2017: add ?year=2014 or ?year=2017", what);
    if (!found) continue;
    captions = std::move(found);
    year = candidate;
  }
  if (!captions)
    fail(
        "{} holds no annotations/captions_{}{}.json (nor annotations_trainval{}.zip): expected the official layout, as "
        "`uvic data fetch mscoco` gets it",
        what, split, year.empty() ? "2014|2017" : year, year.empty() ? "2014|2017" : year);

  const std::string folder = split + year;
  auto images = find_images(tree, folder);
  if (!images) fail("{} holds the captions of {} but no image folder {}/ (nor {}.zip)", what, folder, folder, folder);
  LeftOut left_out(what);
  std::vector<Picture> pictures = parse_captions(captions->tree.read(captions->name),
                                                 fmt::format("{}: {}", what, captions->name), images->name, left_out);
  if (pictures.empty()) fail("{}: {} lists no captions", what, captions->name);
  if (options.limit > 0 && options.limit < static_cast<int64_t>(pictures.size())) pictures.resize(options.limit);
  const int64_t size = options.size > 0 ? options.size : kDefaultSize;
  return std::make_shared<PictureSet>(std::move(left_out), std::move(images->tree), std::move(pictures),
                                      std::vector<std::string>(),
                                      PictureConfig{.size = size, .strict = options.strict});
}

}  // namespace uvic
