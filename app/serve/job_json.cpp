#include "app/serve/job_json.h"

#include <algorithm>

#include "app/serve/event_stream.h"
#include "core/formats/base64.h"

namespace uvic {
namespace {

using Object = nlohmann::ordered_json;

}  // namespace

std::string_view name_of(JobState state) {
  switch (state) {
    case JobState::kWaiting:
      return "waiting";
    case JobState::kRunning:
      return "running";
    case JobState::kDone:
      return "done";
    case JobState::kCancelled:
      return "cancelled";
    case JobState::kFailed:
      return "failed";
  }
  return "";
}

double progress_of(const Job& job) {
  const double steps = static_cast<double>(job.order.settings.sampler.steps);
  const double under_way = static_cast<double>(std::min(job.in_batch, job.pictures.size() - job.done)) *
                           std::min(1., static_cast<double>(job.calls) / steps);
  return (static_cast<double>(job.done) + under_way) / static_cast<double>(job.pictures.size());
}

std::optional<double> eta_of(const Job& job) {
  constexpr double kEnough = 0.02;
  const double progress = progress_of(job);
  if (job.state != JobState::kRunning || progress < kEnough) return std::nullopt;
  return seconds_since(job.begun) * (1 - progress) / progress;
}

Object all_settings_of(const SampleConfig& settings) {
  Object json;
  visit_choices([&](const Setting& setting, auto field) { json[std::string(setting.key)] = field(settings); });
  return json;
}

std::string data_url(const std::string& png) {
  return "data:image/png;base64," + to_base64(png);
}

Object picture_json(const Job& job, size_t number) {
  const Request& request = job.order.requests[number];
  return {{"number", number},         {"url", fmt::format("/api/jobs/{}/images/{}.png", job.id, number)},
          {"seed", request.seed},     {"seed_text", std::to_string(request.seed)},
          {"prompt", request.prompt}, {"parameters", job.pictures[number].parameters}};
}

Object job_json(const Queue& queue, const JobPtr& pointer, bool with_pictures) {
  const int64_t ahead = queue.ahead(pointer);
  return queue.look([&] {
    const Job& job = *pointer;
    const Request& first = job.order.requests.front();
    Object json{{"id", std::to_string(job.id)},
                {"state", name_of(job.state)},
                {"ahead", ahead},
                {"error", job.error.empty() ? Object() : Object(job.error)},
                {"created", job.created},
                {"model", job.order.model},
                {"prompt", first.prompt},
                {"negative", first.negative},
                {"class", first.label ? Object(*first.label) : Object()},
                {"count", job.pictures.size()},
                {"step", job.calls},
                {"steps", job.order.settings.sampler.steps},
                {"progress", progress_of(job)}};
    const std::optional<double> eta = eta_of(job);
    json["eta"] = eta ? Object(*eta) : Object();
    if (job.state != JobState::kWaiting)
      json["seconds"] =
          job.is_over() ? std::chrono::duration<double>(job.ended - job.begun).count() : seconds_since(job.begun);
    json["settings"] = all_settings_of(job.order.settings);
    if (with_pictures) {
      json["images"] = Object::array();
      for (size_t i = 0; i < job.pictures.size(); ++i)
        if (!job.pictures[i].png.empty()) json["images"].push_back(picture_json(job, i));
    }
    return json;
  });
}

std::string JobEvents::next(const Queue& queue, bool& is_over) {
  const bool is_first = std::exchange(is_first_, false);  // the job tells of the pictures that are done already
  std::string text;
  queue.look([&] {
    for (size_t i = 0; i < shown_.size(); ++i) {
      const Preview& preview = job_->previews[i];
      if (preview.calls > previewed_[i]) {
        previewed_[i] = preview.calls;
        text += event("preview", Object{{"number", i},
                                        {"step", preview.calls},
                                        {"steps", job_->order.settings.sampler.steps},
                                        {"image", data_url(preview.png)}}
                                     .dump());
      }
      if (shown_[i] || job_->pictures[i].png.empty()) continue;
      shown_[i] = true;
      if (!is_first) text += event("image", picture_json(*job_, i).dump());
    }
    is_over = job_->is_over();
  });
  return text + event("job", job_json(queue, job_, is_first).dump());
}

}  // namespace uvic
