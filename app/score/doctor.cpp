#include "app/score/doctor.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <mutex>

#include "core/error.h"
#include "core/files.h"
#include "core/image/image.h"
#include "core/progress.h"

namespace uvic {
namespace {

using Size = std::pair<int64_t, int64_t>;

Size usual_size(const Survey& survey) {
  return std::max_element(survey.sizes.begin(), survey.sizes.end(),
                          [](const auto& a, const auto& b) { return a.second < b.second; })
      ->first;
}

std::string text_of(const Size& size) {
  return fmt::format("{} x {}", size.second, size.first);  // width first, as people say it
}

// That of most files; "" if there are none.
std::string format_of(const Survey& survey) {
  std::string most;
  for (const auto& [format, count] : survey.formats)
    if (most.empty() || count > survey.formats.at(most)) most = format;
  return most;
}

bool is_lossy(const std::string& format) {
  return format == "jpg" || format == "webp";
}

double share(int64_t part, int64_t all) {
  return all == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(all);
}

// What can be wrong with one side alone.
void look_at(const char* name, const Side& side, const Survey& survey, std::vector<std::string>& found) {
  if (side.count > 0 && side.count < kEnoughImages)
    found.push_back(
        fmt::format("{} has {} images: below {} distances are biased upward", name, side.count, kEnoughImages));
  if (side.as<StatisticsSide>() && note(side, "features").empty())
    found.push_back(fmt::format("{}: statistics that do not say which network and resizing they come from", name));
  if (const std::string part = note(side, "unfinished"); !part.empty())
    found.push_back(fmt::format("{} is unfinished: it has {}", name, part));
  for (const LeftOut::Kind& kind : side.images ? side.images->left_out() : std::vector<LeftOut::Kind>())
    found.push_back(fmt::format("{}: {} {}; the first: {}", name, kind.count, kind.name, kind.first));
  if (survey.damaged > 0) found.push_back(fmt::format("{}: {} files cannot be read", name, survey.damaged));
  if (survey.images == 0) return;
  if (survey.sizes.size() > 1)
    found.push_back(fmt::format("{} mixes {} sizes, {} in {:.0f}% of the images", name, survey.sizes.size(),
                                text_of(usual_size(survey)),
                                share(survey.sizes.at(usual_size(survey)), survey.images)));
  if (survey.formats.size() > 1)
    found.push_back(fmt::format("{} mixes file formats, most are {}", name, format_of(survey)));
  if (const int64_t repeated = survey.images - static_cast<int64_t>(survey.copies.size()); repeated > 0)
    found.push_back(fmt::format("{}: {} of {} images repeat another", name, repeated, survey.images));
}

void compare(const Survey& of_a, const Survey& of_b, std::vector<std::string>& found) {
  if (usual_size(of_a) != usual_size(of_b))
    found.push_back(fmt::format("A is {} and B is {}: resizing alone sets them apart", text_of(usual_size(of_a)),
                                text_of(usual_size(of_b))));
  if (const std::string fa = format_of(of_a), fb = format_of(of_b);
      !fa.empty() && !fb.empty() && is_lossy(fa) != is_lossy(fb))
    found.push_back(fmt::format("A is {} and B is {}: compression alone sets them apart", fa, fb));
  const double grey_a = share(of_a.grey, of_a.images), grey_b = share(of_b.grey, of_b.images);
  if (std::abs(grey_a - grey_b) > 10)
    found.push_back(fmt::format("{:.0f}% of A and {:.0f}% of B are grey", grey_a, grey_b));
  int64_t both = 0;
  for (const auto& [hash, count] : of_a.copies) both += of_b.copies.contains(hash);
  if (both > 0)
    found.push_back(
        fmt::format("{} images are in A and in B, pixel for pixel: the same set twice, training among test "
                    "images, or copies out of a model",
                    both));
}

}  // namespace

Survey survey(const Side& side, const std::string& task) {
  Survey result;
  if (!side.as<FilesSide>() && !side.as<DataSide>()) return result;
  Progress progress(task, side.count, "image");
  std::mutex mutex;
  const auto look = [&](const SourceImage& picture) {
    Tensor pixels;
    try {
      pixels = decode(picture).contiguous();
    } catch (const Error&) {
      const std::lock_guard lock(mutex);
      ++result.damaged;
      return;
    }
    const bool grey = (pixels == pixels.narrow(0, 0, 1)).all().item<bool>();
    const Size size{pixels.size(1), pixels.size(2)};
    const std::string hash =
        sha256_of_bytes({static_cast<const char*>(pixels.data_ptr()), pixels.nbytes()}) + text_of(size);
    const std::lock_guard lock(mutex);
    ++result.images;
    ++result.sizes[size];
    ++result.copies[hash];
    result.grey += grey;
  };
  const auto reader = side.images->open(side.count);
  while (const auto pictures = reader->next({})) {
    for (const SourceImage& picture : *pictures)
      if (const auto format = image_format(picture.bytes); !format.empty()) ++result.formats[std::string(format)];
    at::parallel_for(0, std::ssize(*pictures), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) look((*pictures)[static_cast<size_t>(i)]);
    });
    progress.update(reader->done());
  }
  return result;
}

std::vector<std::string> diagnose(const Side& a, const Survey& of_a, const Side& b, const Survey& of_b) {
  std::vector<std::string> found;
  look_at("A", a, of_a, found);
  look_at("B", b, of_b, found);
  if (of_a.images > 0 && of_b.images > 0) compare(of_a, of_b, found);
  if (a.count > 0 && b.count > 0 && std::max(a.count, b.count) > 2 * std::min(a.count, b.count) &&
      std::min(a.count, b.count) < 10 * kEnoughImages)
    found.push_back(
        fmt::format("A has {} images and B {}: compare the number only with others of as many", a.count, b.count));
  if (!a.has_images() && !b.has_images() && a.dims() != b.dims())
    found.push_back(fmt::format("A has {} features and B {}: they come from different networks", a.dims(), b.dims()));
  if (const auto x = known_protocol(a), y = known_protocol(b); x && y && *x != *y)
    found.push_back(fmt::format("A is of {} and B of {}", x->empty() ? "no protocol" : *x, y->empty() ? "none" : *y));
  for (const char* name : {"features", "weights", "resize"})
    if (const std::string x = note(a, name), y = note(b, name); !x.empty() && !y.empty() && x != y)
      found.push_back(fmt::format("A comes from {} '{}', B from '{}': they cannot be compared", name, x, y));
  return found;
}

std::string summary(const char* name, const Side& side, const Survey& survey) {
  std::string text = fmt::format("{}: {}", name, side.text);
  if (side.count > 0) text += fmt::format(", {} images", side.count);
  if (survey.images > 0) text += fmt::format(" of {}", text_of(usual_size(survey)));
  if (const std::string format = format_of(survey); !format.empty()) text += ", " + format;
  return text;
}

}  // namespace uvic
