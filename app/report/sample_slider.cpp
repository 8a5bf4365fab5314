#include "app/report/sample_slider.h"

#include <algorithm>
#include <utility>

#include "app/report/html.h"
#include "core/error.h"
#include "core/files.h"
#include "core/formats/base64.h"
#include "core/image/image.h"
#include "core/progress.h"
#include "core/text.h"

namespace uvic {
namespace {

constexpr int64_t kSmallSample = 400;  // pixels; such pictures are enlarged as they are, larger ones smoothly

std::string picture_frame(const std::string& name, const SampleFile& sample) {
  std::string png = read_file(sample.file, "sample");
  Tensor pixels = decode_image(png, sample.file.string());
  if (pixels.size(1) > kWidestSample) {
    const int64_t height = std::max<int64_t>(1, pixels.size(0) * kWidestSample / pixels.size(1));
    pixels = resize_like_pillow(pixels, height, kWidestSample, Filter::kLanczos);
    png = encode_png(pixels);
  } else if (image_format(png) != "png") {
    png = encode_png(pixels);
  }
  return fmt::format("<img{} alt=\"{}\" width=\"{}\" height=\"{}\" src=\"data:image/png;base64,{}\"/>",
                     pixels.size(1) <= kSmallSample ? " class=\"small\"" : "",
                     escape_html(fmt::format("Samples of {} at step {}", name, sample.step)), pixels.size(1),
                     pixels.size(0), to_base64(png));
}

std::string text_frame(const SampleFile& sample) {
  return fmt::format("<pre>{}</pre>",
                     escape_html(shortened(valid_utf8(read_file(sample.file, "sample")), kLongestSample)));
}

}  // namespace

std::vector<size_t> evenly_spaced(size_t all, size_t count) {
  std::vector<size_t> chosen;
  if (all <= count) {
    for (size_t i = 0; i < all; ++i) chosen.push_back(i);
    return chosen;
  }
  for (size_t i = 0; i < count; ++i) chosen.push_back((2 * i * (all - 1) + (count - 1)) / (2 * (count - 1)));
  return chosen;
}

std::string sample_slider(const std::string& name, const std::vector<SampleFile>& samples, size_t number) {
  std::vector<std::pair<int64_t, std::string>> frames;
  for (const size_t i : evenly_spaced(samples.size(), kMostSamples)) {
    try {
      frames.emplace_back(samples[i].step, samples[i].file.extension() == ".png" ? picture_frame(name, samples[i])
                                                                                 : text_frame(samples[i]));
    } catch (const Error& error) {
      warn(fmt::format("no sample of step {} in the report: {}", samples[i].step, error.what()));
    }
  }
  if (frames.empty()) return "";
  std::string inputs, steps, shown;
  for (size_t i = 0; i < frames.size(); ++i) {
    const std::string id = fmt::format("sample-{}-{}", number, i);
    inputs += fmt::format("<input type=\"radio\" name=\"samples-{}\" id=\"{}\"{}/>\n", number, id,
                          i + 1 == frames.size() ? " checked=\"checked\"" : "");
    steps += fmt::format("<label for=\"{}\">{}</label>\n", id, frames[i].first);
    shown += fmt::format("<div data-step=\"step {}\">{}</div>\n", frames[i].first, frames[i].second);
  }
  std::string html = fmt::format(
      "<fieldset class=\"slider\"><legend>{}, step</legend>\n{}<div class=\"steps\">\n{}</div>\n"
      "<div class=\"frames\">\n{}</div>\n",
      escape_html(name), inputs, steps, shown);
  if (frames.size() < samples.size())
    html += fmt::format("<p class=\"quiet\">{} of {} steps; the others are in the run's folder.</p>\n", frames.size(),
                        samples.size());
  return html + "</fieldset>\n";
}

std::string slider_style() {
  std::string css = R"css(
.sliders { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 2rem; }
.slider { border: 0; margin: 0; padding: 0; min-width: 0; position: relative; max-width: 40rem; }
.slider legend { font-weight: 600; padding: 0; overflow-wrap: anywhere; }
.slider > input { position: absolute; opacity: 0; pointer-events: none; }
.steps { display: flex; flex-wrap: wrap; gap: .25rem; margin: .5rem 0 .75rem; }
.steps label { padding: .25rem .5rem; border: 1px solid var(--line); border-radius: .25rem; cursor: pointer; font-size: .8125rem; font-variant-numeric: tabular-nums; }
.frames > div { display: none; }
.frames img { display: block; width: 100%; height: auto; }
.frames img.small { image-rendering: pixelated; }
@media print {
  .steps { display: none; }
  .frames { display: grid; grid-template-columns: repeat(4, 1fr); gap: .5rem; }
  .frames > div { display: block !important; }
  .frames > div::before { content: attr(data-step); font-size: .75rem; }
}
)css";
  for (size_t i = 1; i <= kMostSamples; ++i)
    css += fmt::format(
        ".slider input:nth-of-type({0}):checked ~ .frames > :nth-child({0}) {{ display: block; }} "
        ".slider input:nth-of-type({0}):checked ~ .steps > :nth-child({0}) {{ background: var(--text); color: "
        "var(--page); border-color: var(--text); }} "
        ".slider input:nth-of-type({0}):focus-visible ~ .steps > :nth-child({0}) {{ outline: 3px solid var(--focus); "
        "outline-offset: 2px; }}\n",
        i);
  return css;
}

}  // namespace uvic
