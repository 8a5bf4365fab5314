// /api/jobs: what the page draws with.
#include "app/draw/recipe.h"
#include "app/serve/event_stream.h"
#include "app/serve/job_json.h"
#include "app/serve/service.h"
#include "core/error.h"
#include "core/image/image.h"

namespace uvic {
namespace {

using nlohmann::json;

uint64_t number_in(const httplib::Request& request, size_t part) {
  const std::string text = request.matches[static_cast<int>(part)];
  return text.size() > 18 ? UINT64_MAX : std::stoull(text);
}

JobPtr job_of(const Service& service, const httplib::Request& request) {
  return service.queue.find(number_in(request, 1));
}

Order read_order(Service& service, const json& body) {
  std::string name = service.default_model();
  read_field(body, "model", name);
  const ServedModel model = service.models.find(name);
  Wish wish(model.card.config.sample);
  read_wish(body, wish);
  return make_order(model.name, model.card, model.picture_size, wish);
}

void answer_picture(httplib::Response& response, const std::string& png) {
  response.set_header("Cache-Control", "no-store");  // another server numbers its jobs from 1 again
  response.set_content(png, "image/png");
}

void answer_grid(const Service& service, const JobPtr& job, httplib::Response& response) {
  std::vector<std::string> files, captions;
  service.queue.look([&] {
    for (size_t i = 0; i < job->pictures.size(); ++i) {
      if (job->pictures[i].png.empty()) continue;
      files.push_back(job->pictures[i].png);
      captions.push_back(fmt::format("seed {}", job->order.requests[i].seed));
    }
  });
  if (files.empty()) throw HttpError{404, "no picture of the job is drawn yet"};
  std::vector<Tensor> images;
  for (const std::string& file : files) images.push_back(decode_image(file, "a picture of the job"));
  answer_picture(response, encode_png(make_grid(images, captions, {.min_tile = 128})));
}

void answer_recipe(const Service& service, const httplib::Request& request, httplib::Response& response) {
  for (const auto& [key, value] : png_text(request.body, "the picture")) {
    if (key != kParametersKey) continue;
    const Recipe recipe = parse_parameters(value, "the picture");
    nlohmann::ordered_json answer{{"prompt", recipe.prompt}, {"negative", recipe.negative},
                                  {"seed", recipe.seed},     {"seed_text", std::to_string(recipe.seed)},
                                  {"model", recipe.model},   {"model_hash", recipe.model_hash}};
    if (recipe.label) answer["class"] = recipe.label_name.empty() ? std::to_string(*recipe.label) : recipe.label_name;
    for (const ServedModel& model : service.models.all())
      if (model.hash == recipe.model_hash) answer["model"] = model.name;
    if (recipe.to_prompt) answer["to_prompt"] = *recipe.to_prompt;
    if (recipe.to_seed) answer["to_seed"] = *recipe.to_seed;
    if (recipe.to_seed) answer["to_seed_text"] = std::to_string(*recipe.to_seed);
    if (recipe.to_prompt || recipe.to_seed) answer["mix"] = recipe.mix;
    answer["settings"] = all_settings_of(recipe.settings);
    answer["parameters"] = value;
    return answer_json(response, answer.dump(-1, ' ', false, json::error_handler_t::replace));
  }
  fail("the picture carries no recipe (no 'parameters' text)");
}

}  // namespace

void add_job_routes(HttpServer& server, Service& service) {
  server.Post("/api/jobs", [&](const httplib::Request& request, httplib::Response& response) {
    const JobPtr job = service.queue.add(read_order(service, body_of(request)), client_of(request));
    answer_json(response, job_json(service.queue, job, true).dump(), 201);
  });
  server.Get("/api/jobs", [&](const httplib::Request&, httplib::Response& response) {
    nlohmann::ordered_json all = {{"jobs", json::array()}};
    for (const JobPtr& job : service.queue.jobs()) all["jobs"].push_back(job_json(service.queue, job, false));
    answer_json(response, all.dump());
  });
  server.Get(R"(/api/jobs/(\d+))", [&](const httplib::Request& request, httplib::Response& response) {
    answer_json(response, job_json(service.queue, job_of(service, request), true).dump());
  });
  server.Delete(R"(/api/jobs/(\d+))", [&](const httplib::Request& request, httplib::Response& response) {
    const JobPtr job = job_of(service, request);
    service.queue.cancel(job);
    answer_json(response, job_json(service.queue, job, true).dump());
  });
  server.Get(R"(/api/jobs/(\d+)/events)", [&](const httplib::Request& request, httplib::Response& response) {
    const JobPtr job = job_of(service, request);
    auto events = std::make_shared<JobEvents>(job);
    stream_events(service, job,
                  {.next = [&service, events](bool& is_over) { return events->next(service.queue, is_over); }},
                  response);
  });
  server.Get(R"(/api/jobs/(\d+)/images/(\d+)\.png)", [&](const httplib::Request& request, httplib::Response& response) {
    const JobPtr job = job_of(service, request);
    const uint64_t number = number_in(request, 2);
    std::string png =
        service.queue.look([&] { return number < job->pictures.size() ? job->pictures[number].png : std::string(); });
    if (png.empty()) throw HttpError{404, fmt::format("the job has no picture {}, or not yet", number)};
    answer_picture(response, png);
  });
  server.Get(R"(/api/jobs/(\d+)/grid\.png)", [&](const httplib::Request& request, httplib::Response& response) {
    answer_grid(service, job_of(service, request), response);
  });
  server.Post("/api/recipe", [&](const httplib::Request& request, httplib::Response& response) {
    answer_recipe(service, request, response);
  });
}

}  // namespace uvic
