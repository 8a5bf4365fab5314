// /v1: the images of OpenAI's API, as its clients ask for them.
#include <regex>

#include "app/serve/event_stream.h"
#include "app/serve/job_json.h"
#include "app/serve/service.h"
#include "core/error.h"
#include "core/formats/base64.h"

namespace uvic {
namespace {

using nlohmann::json;

constexpr int64_t kMostPartialImages = 8;

// Errors as its clients read them.
void answer_openai_error(httplib::Response& response, const HttpError& error) {
  answer_error(response, error);
  response.body = json{{"error",
                        {{"message", error.what},
                         {"type", error.status < 500 ? "invalid_request_error" : "server_error"},
                         {"param", nullptr},
                         {"code", nullptr}}}}
                      .dump();
}

struct OpenAiWish {
  Order order;
  bool streams = false, as_url = false;
  int64_t partial_images = 0;
};

OpenAiWish read_openai(const Service& service, const json& body) {
  OpenAiWish all;
  std::string name = service.default_model(), size = "auto", format = "b64_json", file = "png";
  read_field(body, "model", name);
  const ServedModel model = service.models.find(name);
  Wish wish(model.card.config.sample);
  read_field(body, "prompt", wish.prompt);
  int64_t count = 1;
  read_field(body, "n", count, 1, kMostPictures);
  read_field(body, "size", size);
  static const std::regex kSize(R"([1-9]\d{0,4}x[1-9]\d{0,4}|auto)");
  if (size.size() > 16 || !std::regex_match(size, kSize))
    fail("size is not WIDTHxHEIGHT or auto; this model draws {0}x{0} whatever is asked", model.picture_size);
  read_field(body, "response_format", format);
  if (format != "b64_json" && format != "url") fail("response_format: expected b64_json or url");
  all.as_url = format == "url";
  read_field(body, "output_format", file);
  if (file != "png") fail("output_format: expected png");
  read_field(body, "stream", all.streams);
  read_field(body, "partial_images", all.partial_images, 0, kMostPartialImages);
  wish.seeds = seeds_from(read_seed(body, "seed").value_or(new_seed()), count);
  // What is no field of that API and one of ours.
  read_field(body, "negative_prompt", wish.negative);
  read_settings(body, wish.settings);
  all.order = make_order(model.name, model.card, model.picture_size, wish);
  return all;
}

json picture_of(const Job& job, size_t number, bool as_url) {
  const std::string& png = job.pictures[number].png;
  json picture = {{"revised_prompt", job.order.requests[number].prompt}, {"seed", job.order.requests[number].seed}};
  picture[as_url ? "url" : "b64_json"] = as_url ? data_url(png) : to_base64(png);
  return picture;
}

void answer_pictures(Queue& queue, const JobPtr& job, bool as_url, httplib::Response& response) {
  await(queue, job);
  expect_drawn(queue, job);
  json answer = {{"created", job->created}, {"output_format", "png"}, {"data", json::array()}};
  queue.look([&] {
    for (size_t i = 0; i < job->pictures.size(); ++i) answer["data"].push_back(picture_of(*job, i, as_url));
  });
  answer_json(response, answer.dump());
}

// The events of a stream: partial pictures, then whole ones.
class OpenAiEvents {
 public:
  OpenAiEvents(JobPtr job, int64_t partial_images)
      : job_(std::move(job)),
        partial_(partial_images),
        told_(job_->pictures.size()),
        parts_(job_->pictures.size()),
        calls_(job_->pictures.size()) {}

  std::string next(const Queue& queue, bool& is_over) {
    std::string text;
    queue.look([&] {
      for (size_t i = 0; i < told_.size(); ++i) text += part(i) + whole(i);
      is_over = job_->is_over();
      if (is_over && job_->state != JobState::kDone)
        text += typed("error", {{"error", {{"message", job_->error.empty() ? "the job was cancelled" : job_->error}}}});
    });
    return text;
  }

 private:
  static std::string typed(const std::string& type, json data) {
    data["type"] = type;
    return event(type, data.dump());
  }
  json common(const std::string& png) const {
    return {{"b64_json", to_base64(png)}, {"created_at", job_->created}, {"size", "auto"},
            {"quality", "auto"},          {"background", "opaque"},      {"output_format", "png"}};
  }
  // As many as are asked for, evenly over the steps.
  std::string part(size_t i) {
    const Preview& preview = job_->previews[i];
    const int64_t steps = job_->order.settings.sampler.steps;
    if (preview.calls <= calls_[i] || preview.calls * (partial_ + 1) < (parts_[i] + 1) * steps || parts_[i] == partial_)
      return "";
    calls_[i] = preview.calls;
    json data = common(preview.png);
    data["partial_image_index"] = parts_[i]++;
    return typed("image_generation.partial_image", data);
  }
  std::string whole(size_t i) {
    if (told_[i] || job_->pictures[i].png.empty()) return "";
    told_[i] = true;
    json data = common(job_->pictures[i].png);
    data["usage"] = {{"total_tokens", 0},
                     {"input_tokens", 0},
                     {"output_tokens", 0},
                     {"input_tokens_details", {{"text_tokens", 0}, {"image_tokens", 0}}}};
    return typed("image_generation.completed", data);
  }

  JobPtr job_;
  int64_t partial_;
  std::vector<bool> told_;
  std::vector<int64_t> parts_, calls_;
};

void stream_pictures(Service& service, const JobPtr& job, int64_t partial_images, httplib::Response& response) {
  auto events = std::make_shared<OpenAiEvents>(job, partial_images);
  const auto next = [&service, events](bool& is_over) { return events->next(service.queue, is_over); };
  stream_events(service, job, {.next = next, .cancels = true}, response);
}

}  // namespace

void add_openai_routes(HttpServer& server, Service& service) {
  server.Post("/v1/images/generations", [&](const httplib::Request& request, httplib::Response& response) {
    try {
      OpenAiWish wish = read_openai(service, body_of(request));
      const JobPtr job = service.queue.add(std::move(wish.order), client_of(request));
      if (wish.streams)
        stream_pictures(service, job, wish.partial_images, response);
      else
        answer_pictures(service.queue, job, wish.as_url, response);
    } catch (const HttpError& error) {
      answer_openai_error(response, error);
    } catch (const Error& error) {
      answer_openai_error(response, {422, error.what()});
    }
  });
  server.Get("/v1/models", [&](const httplib::Request&, httplib::Response& response) {
    json answer = {{"object", "list"}, {"data", json::array()}};
    for (const ServedModel& model : service.models.all())
      answer["data"].push_back({{"id", model.name}, {"object", "model"}, {"created", 0}, {"owned_by", "uvic"}});
    answer_json(response, answer.dump());
  });
}

}  // namespace uvic
