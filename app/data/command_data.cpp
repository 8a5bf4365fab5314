// uvic data list | info | export | fetch
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <numeric>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/data/data_export.h"
#include "core/files.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "core/text.h"
#include "datasets/fetch.h"
#include "datasets/latents.h"

namespace uvic {
namespace {

constexpr const char* kExamples =
    "  shapes?size=16&count=1000    shapes of that size, so many\n"
    "  cifar10:data?split=test      the test images of CIFAR-10 under data/\n"
    "  folder:photos?size=64        pictures of any size, cropped to squares\n"
    "  coco:data/coco?limit=512     the first 512 images with their captions\n"
    "  latents:coco-latents         what `uvic encode` made of it\n";

void list() {
  Fields fields{{"kinds", Fields::object()}, {"fetch", Fields::object()}};
  for (const auto& kind : dataset_kinds()) fields["kinds"][std::string(kind.name)] = kind.summary;
  for (const auto& entry : fetchable()) fields["fetch"][std::string(entry.name)] = entry.summary;
  std::string text =
      "A data SPEC is KIND, KIND:PATH or KIND:PATH?option=value&option=value (put it in quotes).\n\nKinds:\n";
  for (const auto& kind : dataset_kinds()) text += fmt::format("  {:9} {}\n", kind.name, kind.summary);
  text += fmt::format(
      "\nOptions of every kind:\n"
      "  split     train or test; val is read as test (train)\n"
      "  size      pixels of the square side (the kind's own)\n"
      "  limit     use the first so many images (all)\n"
      "  strict    true: a corrupt image is an error instead of being left out (false)\n"
      "\nExamples:\n{}\n`uvic data fetch NAME` downloads:",
      kExamples);
  for (const auto& entry : fetchable()) text += fmt::format("\n  {:9} {}", entry.name, entry.summary);
  print_result(fields, text);
}

struct Pixels {
  Tensor mean = at::zeros({3}, at::kDouble), std;  // of values in [0, 1], one per channel
};

Pixels measure_pixels(const Dataset& data) {
  constexpr int64_t kAtOnce = 512;
  Progress progress("reading pixels", data.size(), "image");
  Tensor squares = at::zeros({3}, at::kDouble);
  Pixels pixels;
  for (int64_t begin = 0; begin < data.size(); begin += kAtOnce) {
    std::vector<int64_t> indices(std::min(kAtOnce, data.size() - begin));
    std::iota(indices.begin(), indices.end(), begin);
    const Tensor x = data.images(indices).to(at::kLong);  // sums of whole numbers are exact
    pixels.mean += x.sum({0, 2, 3}).to(at::kDouble);
    squares += (x * x).sum({0, 2, 3}).to(at::kDouble);
    progress.update(begin + static_cast<int64_t>(indices.size()));
    stop_if_interrupted();
  }
  const double count = static_cast<double>(data.size() * data.image_size() * data.image_size());
  pixels.mean /= 255 * count;
  pixels.std = (squares / (255.0 * 255.0 * count) - pixels.mean * pixels.mean).clamp_min(0).sqrt();
  return pixels;
}

// Images spread evenly over the data set, each with its caption or class.
void write_preview(const Dataset& data, const fs::path& file, bool force) {
  constexpr int64_t kTiles = 36;
  if (lower_extension(file) != ".png") fail("--preview {}: the picture is a .png file", file.string());
  if (fs::exists(file) && !force)
    fail("'{}' exists: choose another name, or give --force to replace it", file.string());
  std::vector<Tensor> tiles;
  std::vector<std::string> captions;
  for (int64_t i = 0; i < std::min(kTiles, data.size()); ++i) {
    const int64_t index = i * data.size() / std::min(kTiles, data.size());
    tiles.push_back(data.images({&index, 1})[0].permute({1, 2, 0}).contiguous());
    const auto texts = data.captions(index);
    const int64_t label = data.label(index);
    captions.push_back(!texts.empty() ? texts.front() : label >= 0 ? data.classes().at(label) : "");
  }
  if (std::all_of(captions.begin(), captions.end(), [](const auto& caption) { return caption.empty(); }))
    captions.clear();
  write_png(file, make_grid(tiles, captions, {.columns = 0, .pad = 2, .min_tile = captions.empty() ? 0 : 96}));
}

struct InfoCommand {
  std::string spec, preview;
  bool force = false;

  void run() const {
    const auto data = open_dataset(spec);
    if (const auto latents = std::dynamic_pointer_cast<const LatentDataset>(data)) return print_latents(*latents);
    if (!preview.empty()) write_preview(*data, preview, force);
    const Pixels pixels = measure_pixels(*data);
    const std::vector<std::string> classes = data->classes();
    std::vector<int64_t> counts(classes.size());
    int64_t captions = 0, captioned = 0;
    std::vector<std::string> examples;
    constexpr size_t kExamplesShown = 5;
    for (int64_t i = 0; i < data->size(); ++i) {
      if (const int64_t label = data->label(i); label >= 0 && !classes.empty()) ++counts.at(label);
      const auto texts = data->captions(i);
      captions += static_cast<int64_t>(texts.size());
      captioned += !texts.empty();
      if (!texts.empty() && examples.size() < kExamplesShown) examples.push_back(texts.front());
    }
    print_result(as_fields(*data, pixels, counts, captions, captioned, examples),
                 as_text(*data, pixels, counts, captions, captioned, examples));
  }

  void print_latents(const LatentDataset& data) const {
    if (!preview.empty()) fail("{} holds latents: there are no pixels for --preview", spec);
    int64_t captions = 0;
    for (int64_t i = 0; i < data.size(); ++i) captions += data.caption_count(i);
    const auto states = data.null_context().sizes().vec();
    print_result({{"spec", spec},
                  {"description", data.description()},
                  {"images", data.size()},
                  {"image_size", data.image_size()},
                  {"channels", data.channels()},
                  {"captions", captions},
                  {"context", states},
                  {"autoencoder", data.autoencoder()}},
                 fmt::format("{}\n\nimages    {}\nsize      {} x {} x {}\ncaptions  {}, each {} states of width {}",
                             visible(data.description()), data.size(), data.channels(), data.image_size(),
                             data.image_size(), captions, states[0], states[1]));
  }

  std::string as_text(const Dataset& data, const Pixels& pixels, const std::vector<int64_t>& counts, int64_t captions,
                      int64_t captioned, const std::vector<std::string>& examples) const {
    std::string text = visible(data.description()) + "\n";
    const auto line = [&]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
      text += "\n" + fmt::format(format, std::forward<Args>(args)...);
    };
    line("images    {}\nsize      {} x {}", data.size(), data.image_size(), data.image_size());
    line("skipped   {}{}", data.skipped(), data.skipped() > 0 ? " in all" : "");
    for (const LeftOut::Kind& kind : data.left_out())
      line("  {:6}  {}; the first: {}", kind.count, kind.name, visible(kind.first));
    const auto channels = [](const Tensor& x) {
      const double* value = x.const_data_ptr<double>();
      return fmt::format("{:.4f} {:.4f} {:.4f}", value[0], value[1], value[2]);
    };
    line("mean      {}   (red, green, blue, of 0 to 1)", channels(pixels.mean));
    line("std       {}", channels(pixels.std));
    std::vector<std::string> classes = data.classes();
    for (std::string& name : classes) name = visible(name);
    size_t width = 0;
    for (const std::string& name : classes) width = std::max(width, name.size());
    line("classes   {}", classes.empty() ? "none" : std::to_string(classes.size()));
    for (size_t i = 0; i < classes.size(); ++i) line("  {:3} {:{}} {:7}", i, classes[i], width, counts[i]);
    if (captions == 0)
      line("captions  none");
    else
      line("captions  {}, of {} images; for example", captions, captioned);
    for (const std::string& caption : examples) line("  \"{}\"", visible(caption));
    if (!preview.empty()) line("preview   {}", visible(preview));
    return text;
  }

  Fields as_fields(const Dataset& data, const Pixels& pixels, const std::vector<int64_t>& counts, int64_t captions,
                   int64_t captioned, const std::vector<std::string>& examples) const {
    const auto list = [](const Tensor& x) {
      return std::vector<double>(x.const_data_ptr<double>(), x.const_data_ptr<double>() + 3);
    };
    Fields left_out = Fields::array();
    for (const LeftOut::Kind& kind : data.left_out())
      left_out.push_back({{"what", kind.name}, {"count", kind.count}, {"first", kind.first}});
    Fields classes = Fields::array();
    for (size_t i = 0; i < counts.size(); ++i) classes.push_back({{"name", data.classes()[i]}, {"images", counts[i]}});
    return {{"spec", spec},
            {"description", data.description()},
            {"images", data.size()},
            {"image_size", data.image_size()},
            {"skipped", data.skipped()},
            {"left_out", left_out},
            {"mean", list(pixels.mean)},
            {"std", list(pixels.std)},
            {"classes", classes},
            {"captions", captions},
            {"captioned_images", captioned},
            {"caption_examples", examples}};
  }
};

void export_to_folder(const std::string& spec, const std::string& out, bool force) {
  const auto data = open_dataset(spec);
  Progress progress("export", data->size(), "image");
  export_dataset(*data, out, force, [&](int64_t count) {
    progress.update(count);
    stop_if_interrupted();
  });
  print_result({{"folder", out}, {"images", data->size()}, {"spec", "folder:" + out}},
               fmt::format("{} images in {}; read them with folder:{}", data->size(), visible(out), visible(out)));
}

void fetch_files(const std::string& name, const std::string& out, const std::string& base_url) {
  // Nothing needs saving: the part that is there is gone on from. So the first Ctrl-C may end the program.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
  std::vector<std::string> files, shown;
  for (const fs::path& file : fetch(name, out, base_url)) {
    files.push_back(file.string());
    shown.push_back(visible(file.string()));
  }
  print_result({{"files", files}}, fmt::format("{}", fmt::join(shown, "\n")));
}

}  // namespace

void add_data_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("data", "list, look at, export and download data sets");
  sub->require_subcommand(1);

  CLI::App* list_command = sub->add_subcommand("list", "kinds of data, their options, and what can be downloaded");
  list_command->callback([] { list(); });

  auto info = std::make_shared<InfoCommand>();
  CLI::App* info_command = sub->add_subcommand("info", "count, size, classes, captions, mean and standard deviation");
  info_command->add_option("SPEC", info->spec, "data SPEC, see `uvic data list`")->required();
  info_command->add_option("--preview", info->preview, "also write a sheet of up to 36 images to this PNG");
  info_command->add_flag("--force", info->force, "replace an existing preview");
  info_command->callback([info] { info->run(); });

  struct Arguments {
    std::string what, out, base_url;
    bool force = false;
  };
  auto exported = std::make_shared<Arguments>();
  CLI::App* export_command = sub->add_subcommand("export", "write a data set as PNG files with metadata.jsonl");
  export_command->add_option("SPEC", exported->what, "data SPEC, see `uvic data list`")->required();
  export_command->add_option("--out", exported->out, "folder to write to, empty or new")->required();
  export_command->add_flag("--force", exported->force, "write into a folder that is not empty");
  export_command->callback([exported] { export_to_folder(exported->what, exported->out, exported->force); });

  auto fetched = std::make_shared<Arguments>();
  fetched->out = "data";
  CLI::App* fetch_command =
      sub->add_subcommand("fetch", "download a data set from its official place; goes on where it stopped");
  std::string known;
  for (const auto& entry : fetchable()) known += fmt::format("\n  {:9} {}", entry.name, entry.summary);
  fetch_command->add_option("NAME", fetched->what, "what to download:" + known)
      ->required()
      ->check(one_of(fetchable()).description(""));
  fetch_command->add_option("--out", fetched->out, "folder for the files")->capture_default_str();
  fetch_command->add_option("--base-url", fetched->base_url,
                            "download from a mirror: replaces all of the address but the file's name");
  fetch_command->callback([fetched] { fetch_files(fetched->what, fetched->out, fetched->base_url); });
}

}  // namespace uvic
