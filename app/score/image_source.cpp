#include "app/score/image_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <regex>

#include "app/cli/options.h"
#include "core/error.h"
#include "core/files.h"
#include "core/formats/npz.h"
#include "core/formats/zip.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "datasets/pictures.h"
#include "encoders/fingerprint.h"

namespace uvic {
namespace {

constexpr int64_t kAtOnce = 64;                                              // images in memory at a time
constexpr size_t kBytesAtOnce = size_t{64} << 20;                            // of encoded files
constexpr int64_t kMostScored = int64_t{1} << 25, kLongestScored = 1 << 16;  // pixels, which networks take as floats

// What PictureFiles::write_named calls its files.
bool is_collage(const std::string& name) {
  static const std::regex pattern("(.*/)?(grid|strip)-[0-9]{3,}\\.png");
  return std::regex_match(name, pattern);
}

// [3, H, W]
Tensor picture_of(std::string_view bytes, const std::string& name) {
  const Tensor image = decode_image(bytes, name);
  const int64_t height = image.size(0), width = image.size(1);
  if (height * width > kMostScored || std::max(height, width) > kLongestScored)
    fail("{}: {} x {} pixels are more than scores look at ({} in all, {} a side): resize it first", name, width, height,
         kMostScored, kLongestScored);
  return image.permute({2, 0, 1});
}

std::vector<int64_t> range(int64_t begin, int64_t length) {
  std::vector<int64_t> indices(static_cast<size_t>(length));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

// Images [n, 3, H, W] uint8 that are in memory, or are soon: `images` gives `length` of them from `begin`.
ImageSource images_in_memory(int64_t size, const std::function<Tensor(int64_t begin, int64_t length)>& images) {
  return {size, [images](int64_t count, const ImageSource::Wanted& wanted, const ImageSource::Visit& visit,
                         const ImageSource::Tick& tick) {
            for (int64_t begin = 0; begin < count; begin += kAtOnce) {
              const int64_t length = std::min(kAtOnce, count - begin);
              const Tensor batch = images(begin, length).contiguous();
              std::vector<PendingImage> pictures;
              for (int64_t i = 0; i < length; ++i) {
                const Tensor image = batch[i];
                if (!wanted || wanted(begin + i, {static_cast<const char*>(image.data_ptr()), image.nbytes()}))
                  pictures.push_back({begin + i, fmt::format("image {}", begin + i), [image] { return image; }});
              }
              if (!pictures.empty()) visit(pictures);
              tick(begin + length);
            }
          }};
}

// All that a drawn image depends on, beside what is asked for.
std::string drawn_by(const Model& model, const GenerateOptions& how) {
  std::string text = fmt::format("weights {}\nsampler {} steps {} eta {} clip {}\nguidance {}\nprecision {}\n{}\n",
                                 model.hash, how.sampler.kind, how.sampler.steps, how.sampler.eta, how.sampler.clip_x0,
                                 how.cfg_scale, at::toString(model.precision), print_run_config(model.card.config));
  if (model.text) text += "text encoder " + fingerprint(*model.text) + '\n';
  if (model.autoencoder)
    text += fmt::format("autoencoder {} scale {}\n", fingerprint(*model.autoencoder), model.latent_scale);
  return text;
}

bool fits(const Model& model, const Dataset& data) {
  const UVitConfig& config = model.card.config.model;
  if (config.classes > 0 && static_cast<int64_t>(data.classes().size()) != config.classes) return false;
  return config.context_tokens == 0 || !data.captions(0).empty();
}

}  // namespace

std::map<int64_t, Tensor> read_images(const ImageSource& source, const std::set<int64_t>& which) {
  std::map<int64_t, Tensor> images;
  if (which.empty()) return images;
  source.read(
      *which.rbegin() + 1, [&](int64_t index, std::string_view) { return which.contains(index); },
      [&](std::span<const PendingImage> pictures) {
        for (const PendingImage& picture : pictures) images[picture.index] = picture.pixels();
      },
      [](int64_t) { stop_if_interrupted(); });
  return images;
}

ImageSource dataset_images(std::shared_ptr<const Dataset> data) {
  ImageSource source = images_in_memory(
      data->size(), [data](int64_t begin, int64_t length) { return data->images(range(begin, length)); });
  source.left_out = data->left_out();
  return source;
}

std::vector<std::string> image_names(const FileTree& tree) {
  std::vector<std::string> names;
  for (const std::string& name : tree.names())
    if (has_image_extension(name) && !is_collage(name)) names.push_back(name);
  if (names.empty())
    fail(
        "no images in {} (.png, .jpg, .webp, .bmp, .gif, .tif); for a data set put its kind before the path, such as "
        "cifar10:{}",
        tree.path().string(), tree.path().string());
  return names;
}

ImageSource file_images(const FileTree& tree) {
  const std::vector<std::string> names = image_names(tree);
  if (const auto collages = std::ranges::count_if(tree.names(), is_collage); collages > 0)
    log_line(fmt::format("{}: {} grids and strips do not count as images", tree.path().string(), collages));
  LeftOut left_out(tree.path().string());
  leave_out_other_files(tree, "", left_out);
  left_out.finish();
  const auto size = static_cast<int64_t>(names.size());
  return {size,
          [tree, names](int64_t count, const ImageSource::Wanted& wanted, const ImageSource::Visit& visit,
                        const ImageSource::Tick& tick) {
            std::vector<PendingImage> pictures;
            int64_t done = 0;
            size_t bytes_held = 0;
            const auto flush = [&] {
              if (!pictures.empty()) visit(pictures);
              tick(done);
              pictures.clear();
              bytes_held = 0;
            };
            const auto first = std::span(names).first(static_cast<size_t>(count));
            tree.read(first, [&](size_t i, std::string_view bytes) {
              ++done;
              const auto index = static_cast<int64_t>(i);
              if (!wanted || wanted(index, bytes)) {
                bytes_held += bytes.size();
                pictures.push_back({index, names[i],
                                    [bytes = std::string(bytes), name = names[i]] { return picture_of(bytes, name); }});
              }
              if (static_cast<int64_t>(pictures.size()) == kAtOnce || bytes_held > kBytesAtOnce || done % kAtOnce == 0)
                flush();
            });
            flush();
          },
          left_out.kinds()};
}

bool is_image_array(const std::filesystem::path& npz) {
  const ZipReader zip(npz, ".npz file");
  return zip.find("arr_0.npy") && !zip.find("mu.npy");
}

ImageSource array_images(const std::filesystem::path& npz) {
  const Tensor array = read_npz(npz).at("arr_0");
  if (array.dim() != 4 || array.size(3) != 3 || array.scalar_type() != at::kByte)
    fail("{}: arr_0 is [{}] of {}, expected images: [N, H, W, 3] of uint8", npz.string(),
         fmt::join(array.sizes(), ", "), at::toString(array.scalar_type()));
  if (array.size(1) == 0 || array.size(2) == 0)
    fail("{}: arr_0 is [{}], images without pixels", npz.string(), fmt::join(array.sizes(), ", "));
  return images_in_memory(array.size(0), [array](int64_t begin, int64_t length) {
    return array.narrow(0, begin, length).permute({0, 3, 1, 2});
  });
}

ImageSource model_images(const Model& model, std::shared_ptr<const Dataset> conditions, const GenerateOptions& how) {
  const int64_t channels =
      model.autoencoder ? model.autoencoder->config().out_channels : model.card.config.model.channels;
  if (channels != 3) fail("{} draws images of {} channels; scores need 3", model.path.string(), channels);
  const auto request = [&model, conditions](int64_t i) {
    Request request{.seed = static_cast<uint64_t>(i), .prompt = "", .negative = "", .label = {}};
    if (!conditions) return request;
    const int64_t like = i % conditions->size();
    if (model.card.config.model.classes > 0 && conditions->label(like) >= 0) request.label = conditions->label(like);
    if (model.card.config.model.context_tokens > 0)
      if (const auto captions = conditions->captions(like); !captions.empty()) request.prompt = captions.front();
    return request;
  };
  return {std::numeric_limits<int64_t>::max(),
          [&model, request, how](int64_t count, const ImageSource::Wanted& wanted, const ImageSource::Visit& visit,
                                 const ImageSource::Tick& tick) {
            const std::string what = wanted ? drawn_by(model, how) : "";
            std::vector<int64_t> indices;
            std::vector<Request> requests;
            for (int64_t i = 0; i < count; ++i) {
              const Request one = request(i);
              if (!wanted || wanted(i, fmt::format("{}seed {}\nclass {}\nprompt {}", what, one.seed,
                                                   one.label.value_or(-1), one.prompt))) {
                indices.push_back(i);
                requests.push_back(one);
              }
              const auto length = static_cast<int64_t>(requests.size());
              if (length == 0 || (length < how.batch && i + 1 < count)) continue;
              std::vector<PendingImage> pictures;
              for (const Drawing& drawing : generate(model, requests, how, [&](int64_t done) {
                     tick(i + 1 - length + done);
                     return true;
                   })) {
                const int64_t index = indices[pictures.size()];
                pictures.push_back({index, fmt::format("image {}", index), [image = drawing.image] {
                                      return image.permute({2, 0, 1});
                                    }});
              }
              visit(pictures);
              tick(i + 1);
              indices.clear();
              requests.clear();
            }
          }};
}

std::shared_ptr<const Dataset> conditions_for(const Model& model, std::shared_ptr<const Dataset> other, int64_t count) {
  const UVitConfig& config = model.card.config.model;
  if (config.classes == 0 && config.context_tokens == 0) return nullptr;
  if (other && fits(model, *other)) return other;

  const char* what = config.classes > 0 ? "classes" : "captions";
  Spec spec = Spec::parse(model.card.config.data.spec);
  spec.options["limit"] = std::to_string(count);
  std::string problem;
  for (const char* split : {"test", "train"}) {
    spec.options["split"] = split;
    try {
      std::shared_ptr<const Dataset> own = open_dataset(spec);
      if (!fits(model, *own)) fail("{} has not the {} that the model was trained with", spec.text(), what);
      log_line(fmt::format("{}: drawn from the {} of {}", model.name, what, spec.text()));
      return own;
    } catch (const Error& error) {
      problem = error.what();
    }
  }
  fail("{} draws from {}, and there are none: {}. Compare it with a data SPEC that has them", model.path.string(), what,
       problem);
}

}  // namespace uvic
