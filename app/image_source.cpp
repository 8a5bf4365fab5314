#include "app/image_source.h"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <regex>

#include "core/error.h"
#include "core/files.h"
#include "core/image.h"
#include "core/left_out.h"
#include "core/npz.h"
#include "core/progress.h"
#include "core/zip.h"
#include "datasets/file_tree.h"

namespace uvic {
namespace {

constexpr int64_t kAtOnce = 64;  // images in memory at a time

// What PictureFiles::write_named calls its files.
bool is_collage(const std::string& name) {
  static const std::regex pattern("(.*/)?(grid|strip)-[0-9]{3,}\\.png");
  return std::regex_match(name, pattern);
}

struct File {
  int64_t index;
  std::string name, bytes, problem;
  Tensor image;  // [3, H, W]
};

// "jpg" of a.JPEG
std::string format_of(const std::string& name) {
  std::string format = std::filesystem::path(name).extension().string().substr(1);
  for (char& c : format) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return format == "jpeg" ? "jpg" : format == "tiff" ? "tif" : format;
}

std::vector<int64_t> range(int64_t begin, int64_t length) {
  std::vector<int64_t> indices(static_cast<size_t>(length));
  std::iota(indices.begin(), indices.end(), begin);
  return indices;
}

void decode(std::vector<File>& files) {
  at::parallel_for(0, static_cast<int64_t>(files.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      try {
        files[i].image = decode_image(files[i].bytes, files[i].name).permute({2, 0, 1});
      } catch (const Error& error) {
        files[i].problem = error.what();
      }
    }
  });
}

void visit_by_size(const std::vector<File>& files, const ImageSource::Visit& visit) {
  struct Group {
    std::vector<Tensor> images;
    std::vector<int64_t> indices;
  };
  std::map<std::pair<int64_t, int64_t>, Group> by_size;
  for (const File& file : files) {
    if (!file.image.defined()) continue;
    Group& group = by_size[{file.image.size(1), file.image.size(2)}];
    group.images.push_back(file.image);
    group.indices.push_back(file.index);
  }
  for (const auto& [size, group] : by_size) visit(at::stack(group.images), group.indices);
}

bool fits(const Model& model, const Dataset& data) {
  const UVitConfig& config = model.card.config.model;
  if (config.classes > 0 && static_cast<int64_t>(data.classes().size()) != config.classes) return false;
  return config.context_tokens == 0 || !data.captions(0).empty();
}

}  // namespace

ImageSource dataset_images(std::shared_ptr<const Dataset> data) {
  const int64_t size = data->size();
  return {size,
          data->description(),
          {},
          [data](int64_t first, int64_t count, const ImageSource::Visit& visit, const ImageSource::Tick& tick) {
            for (int64_t begin = first; begin < count; begin += kAtOnce) {
              const auto indices = range(begin, std::min(kAtOnce, count - begin));
              visit(data->images(indices), indices);
              tick(begin + static_cast<int64_t>(indices.size()));
            }
          }};
}

ImageSource file_images(const std::filesystem::path& path) {
  const FileTree tree(path);
  std::vector<std::string> names;
  int64_t collages = 0;
  for (const std::string& name : tree.names()) {
    if (!has_image_extension(name)) continue;
    if (is_collage(name))
      ++collages;
    else
      names.push_back(name);
  }
  if (names.empty())
    fail(
        "no images in {} (.png, .jpg, .webp, .bmp, .gif, .tif); for a data set put its kind before the path, such as "
        "cifar10:{}",
        path.string(), path.string());
  if (collages > 0) log_line(fmt::format("{}: {} grids and strips do not count as images", path.string(), collages));

  const auto size = static_cast<int64_t>(names.size());
  std::string list;
  std::map<std::string, int64_t> formats;
  for (const std::string& name : names) {
    list += name + '\n';
    ++formats[format_of(name)];
  }
  return {size, sha256_of_bytes(list), formats,
          [tree, names, path](int64_t first, int64_t count, const ImageSource::Visit& visit,
                              const ImageSource::Tick& tick) {
            std::vector<File> files;
            int64_t done = first;
            LeftOut left_out(path.string());
            const auto flush = [&] {
              decode(files);
              for (const File& file : files)
                if (!file.problem.empty()) left_out.add(file.problem);
              visit_by_size(files, visit);
              done += static_cast<int64_t>(files.size());
              tick(done);
              files.clear();
            };
            const auto wanted = std::span(names).subspan(first, count - first);
            tree.read(wanted, [&](size_t i, std::string_view bytes) {
              files.push_back({first + static_cast<int64_t>(i), wanted[i], std::string(bytes), "", {}});
              if (static_cast<int64_t>(files.size()) == kAtOnce) flush();
            });
            if (!files.empty()) flush();
            left_out.finish();
            if (const int64_t good = count - left_out.count(); good < 2 && count - first > 1)
              fail("{}: only {} of its images can be read, a score needs 2", path.string(), good);
          }};
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
  return {array.size(0),
          fmt::format("arr_0 [{}]", fmt::join(array.sizes(), ", ")),
          {},
          [array](int64_t first, int64_t count, const ImageSource::Visit& visit, const ImageSource::Tick& tick) {
            for (int64_t begin = first; begin < count; begin += kAtOnce) {
              const int64_t length = std::min(kAtOnce, count - begin);
              visit(array.narrow(0, begin, length).permute({0, 3, 1, 2}).contiguous(), range(begin, length));
              tick(begin + length);
            }
          }};
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
          fmt::format("{} {} steps {} guidance {}", model.hash, how.sampler.kind, how.sampler.steps, how.cfg_scale),
          {},
          [&model, request, how](int64_t first, int64_t count, const ImageSource::Visit& visit,
                                 const ImageSource::Tick& tick) {
            for (int64_t begin = first; begin < count; begin += how.batch) {
              const int64_t length = std::min(how.batch, count - begin);
              std::vector<Request> requests;
              for (int64_t i = begin; i < begin + length; ++i) requests.push_back(request(i));
              std::vector<Tensor> images;
              for (const Drawing& drawing : generate(model, requests, how, [&](int64_t done, int64_t total) {
                     tick(begin + done * length / total);
                     return true;
                   }))
                images.push_back(drawing.image.permute({2, 0, 1}));
              visit(at::stack(images), range(begin, length));
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
