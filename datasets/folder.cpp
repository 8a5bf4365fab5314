#include "datasets/folder.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/formats/json_file.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/text.h"
#include "core/text_file.h"
#include "datasets/pictures.h"

namespace uvic {
namespace {

using Captions = std::unordered_map<std::string, std::vector<std::string>>;  // by image name

constexpr std::string_view kSplits[] = {"train", "test", "val"};

// "a/b/c.png" -> "a"; "" for a file that lies in no folder.
std::string_view first_folder(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash);
}

bool is_split(std::string_view folder) {
  return std::find(std::begin(kSplits), std::end(kSplits), folder) != std::end(kSplits);
}

// An archive of a folder usually has that folder as the start of every name: "cars/" then, else "".
std::string common_folder(const FileTree& files) {
  if (!files.is_archive() || files.names().empty()) return "";
  const std::string_view top = first_folder(files.names().front());
  if (top.empty() || is_split(top)) return "";
  for (const std::string& name : files.names())
    if (first_folder(name) != top) return "";
  return std::string(top) + '/';
}

bool is_picture(const FileTree& files, const std::string& name) {
  return has_image_extension(name) && files.has(name);
}

// Without what differs between systems.
std::string loose(std::string name) {
  for (char& c : name) c = c == '\\' ? '/' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

// "" or " (there is 'a.png')", for 'a.PNG'.
std::string similar_picture(const FileTree& files, const std::string& name) {
  for (const std::string& other : files.names())
    if (loose(other) == loose(name)) return fmt::format(" (there is '{}')", other);
  return "";
}

void add_metadata(const FileTree& files, const std::string& file, std::string_view lines, Captions& captions,
                  LeftOut& left_out) {
  const std::string title = (files.path() / file).string();
  std::istringstream stream{std::string(as_text(lines, title))};
  bool has_unmatched = false;
  std::string line;
  for (int64_t number = 1; std::getline(stream, line); ++number) {
    if (clean_caption(line).empty()) continue;
    const auto json = try_parse_json(line);
    if (!json || !json->is_object() || !json->contains("file_name") || !(*json)["file_name"].is_string())
      fail("{}: line {} should be like {{\"file_name\": \"a.png\", \"text\": \"a red car\"}}", title, number);
    const nlohmann::json& row = *json;
    const char* key = row.contains("text") ? "text" : "caption";
    if (!row.contains(key)) {
      if (row.size() > 1 && !row.contains("class"))  // else `uvic data export` wrote it, of a picture without captions
        left_out.add("lines of metadata.jsonl without a caption",
                     fmt::format("{}: line {} has neither \"text\" nor \"caption\"", file, number));
      continue;
    }
    const std::string image = (std::filesystem::path(folder_part(file)) / row["file_name"].get<std::string>())
                                  .lexically_normal()
                                  .generic_string();
    const nlohmann::json list = row[key].is_array() ? row[key] : nlohmann::json::array({row[key]});
    for (const auto& caption : list)
      if (!caption.is_string()) fail("{}: line {}: \"{}\" should be a string or a list of strings", title, number, key);
    if (!is_picture(files, image)) {
      left_out.add("lines of metadata.jsonl that belong to no picture",
                   fmt::format("{}: line {}: there is no picture '{}'{}", file, number, image,
                               has_unmatched ? "" : similar_picture(files, image)));
      has_unmatched = true;
      continue;
    }
    for (const auto& caption : list) captions[image].push_back(clean_caption(caption.get<std::string>()));
  }
}

// Image name without its extension, as NAME of NAME.txt.
std::string stem(const std::string& name) {
  return std::filesystem::path(name).replace_extension().generic_string();
}

// Where captions are texts beside pictures, those that lie beside none.
void leave_out_lone_texts(const FileTree& files, LeftOut& left_out) {
  std::unordered_set<std::string> stems;
  for (const std::string& name : files.names())
    if (has_image_extension(name)) stems.insert(stem(name));
  for (const std::string& name : files.names())
    if (has_text_extension(name) && !stems.contains(stem(name)))
      left_out.add("texts that belong to no picture", fmt::format("'{}' lies beside no picture of its name", name));
}

// The part of `images` that belongs to the split, all of them if the folder is not split; `root` grows by its folder.
std::vector<std::string> images_of_split(const std::string& what, const std::vector<std::string>& images,
                                         const CommonOptions& options, std::string& root, bool& is_split_folder) {
  std::set<std::string, std::less<>> folders;
  for (const std::string& name : images) folders.emplace(first_folder(std::string_view(name).substr(root.size())));
  is_split_folder = std::all_of(folders.begin(), folders.end(), is_split);
  if (!is_split_folder) {
    if (options.split != "train") fail("{} has no test/ or val/ folder: leave out ?split={}", what, options.split);
    return images;
  }
  const std::string chosen = options.split == "train" ? "train" : folders.contains("test") ? "test" : "val";
  if (!folders.contains(chosen)) fail("{} has no {}/ folder with images", what, chosen);
  root += chosen + '/';
  std::vector<std::string> chosen_images;
  for (const std::string& name : images)
    if (name.starts_with(root)) chosen_images.push_back(name);
  return chosen_images;
}

// Error if a name cannot stand in the metadata of a model.
void expect_utf8(const std::string& what, const std::set<std::string>& classes) {
  for (const std::string& name : classes)
    if (!is_utf8(name))
      fail("{}: the name of the class folder '{}' is not UTF-8: rename it, from Latin-1 with convmv -f latin1 -t utf8",
           what, visible(name));
}

// Class names by id; empty if some image lies in no folder, or all in the same. Splits share their classes.
std::vector<std::string> find_classes(const std::string& what, const std::vector<std::string>& images,
                                      size_t root_length, bool is_split_folder) {
  std::set<std::string> names;
  for (const std::string& name : images) {
    std::string_view rest = std::string_view(name).substr(root_length);
    if (is_split_folder) rest.remove_prefix(first_folder(rest).size() + 1);
    if (first_folder(rest).empty()) return {};
    names.emplace(first_folder(rest));
  }
  if (names.size() < 2) return {};
  expect_utf8(what, names);
  return {names.begin(), names.end()};
}

}  // namespace

Captions captions_beside(const FileTree& files, const std::vector<std::string>& images, LeftOut& left_out) {
  std::vector<std::string> tables, texts;
  std::unordered_map<std::string, std::vector<std::string>> by_stem;
  for (const std::string& image : images) by_stem[stem(image)].push_back(image);
  for (const std::string& name : files.names()) {
    if (std::string_view(name).substr(folder_part(name).size()) == "metadata.jsonl") tables.push_back(name);
    if (has_text_extension(name) && by_stem.contains(stem(name))) texts.push_back(name);
  }
  if (!texts.empty()) leave_out_lone_texts(files, left_out);
  Captions captions;
  files.read(tables,
             [&](size_t i, std::string_view lines) { add_metadata(files, tables[i], lines, captions, left_out); });
  const Captions from_tables = captions;
  files.read(texts, [&](size_t i, std::string_view lines) {
    stop_if_interrupted();
    std::istringstream stream{std::string(as_text(lines, (files.path() / texts[i]).string()))};
    for (std::string line; std::getline(stream, line);)
      for (const std::string& image : by_stem[stem(texts[i])])
        if (!clean_caption(line).empty() && !from_tables.contains(image))
          captions[image].push_back(clean_caption(line));
  });
  return captions;
}

std::shared_ptr<const Dataset> open_folder(const Spec& spec, const CommonOptions& options) {
  spec.expect_options({});
  if (spec.path.empty()) fail("data '{}' names no path: expected folder:PATH", spec.text());
  const std::string what = "folder:" + spec.path;
  FileTree files(spec.path);
  LeftOut left_out(what);
  std::vector<std::string> images;
  for (const std::string& name : files.names())
    if (has_image_extension(name)) images.push_back(name);
  if (images.empty()) {
    leave_out_other_files(files, "", left_out);
    fail("{}: no images in it (.png, .jpg, .webp, .bmp, .gif, .tif)", what);
  }

  std::string root = common_folder(files);
  const size_t root_length = root.size();
  bool is_split_folder = false;
  std::vector<std::string> chosen = images_of_split(what, images, options, root, is_split_folder);
  const std::vector<std::string> classes = find_classes(what, images, root_length, is_split_folder);
  if (options.limit > 0 && options.limit < static_cast<int64_t>(chosen.size())) chosen.resize(options.limit);

  leave_out_other_files(files, root, left_out);
  Captions captions = captions_beside(files, chosen, left_out);
  std::vector<Picture> pictures;
  for (const std::string& name : chosen) {
    Picture picture{name, -1, {}};
    if (!classes.empty()) {
      const auto folder = first_folder(std::string_view(name).substr(root.size()));
      picture.label = std::lower_bound(classes.begin(), classes.end(), folder) - classes.begin();
    }
    if (const auto found = captions.find(name); found != captions.end()) picture.captions = std::move(found->second);
    pictures.push_back(std::move(picture));
  }
  return std::make_shared<PictureSet>(std::move(left_out), std::move(files), std::move(pictures), classes,
                                      PictureConfig{.size = options.size, .strict = options.strict});
}

}  // namespace uvic
