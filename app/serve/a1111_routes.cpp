// /sdapi/v1: the part of AUTOMATIC1111's API that draws, as its clients ask for it.
#include <algorithm>

#include "app/cli/sample_config.h"
#include "app/serve/job_json.h"
#include "app/serve/service.h"
#include "core/error.h"
#include "core/formats/base64.h"
#include "core/text.h"

namespace uvic {
namespace {

using nlohmann::json;

// What its samplers are called here.
constexpr std::pair<std::string_view, std::string_view> kSamplerNames[] = {
    {"DDIM", "ddim"},       {"DPM++ 2M", "dpm-solver++2m"}, {"DPM++ 3M", "dpm-solver++3m"},
    {"Euler", "euler-ode"}, {"Euler a", "euler-maruyama"},  // noise in each step, too; what many clients ask for unless
                                                            // told otherwise
};
constexpr size_t kShownOfText = 80;              // characters
constexpr const char* kScheduler = "automatic";  // our samplers choose their times themselves

std::string sampler_of(const std::string& name) {
  for (const auto& sampler : samplers())
    if (lower_case(name) == sampler.name) return std::string(sampler.name);
  for (const auto& row : kSamplerNames)
    if (lower_case(name) == lower_case(row.first)) return std::string(row.second);
  fail("sampler_name is '{}': expected one of {}", shortened(name, kShownOfText), names(samplers()));
}

// "shapes [0123456789]" is how its clients see a model; they may also give its name or its hash.
std::string title_of(const ServedModel& model) {
  return fmt::format("{} [{}]", model.name, model.hash);
}

ServedModel model_of(const Service& service, const std::string& title) {
  for (const ServedModel& model : service.models.all())
    if (title == title_of(model)) return model;
  return service.models.find(title);
}

// Its clients are told apart by address, so that one of them can interrupt what it asked for.
std::string a1111_client(const httplib::Request& request) {
  return "a1111 " + request.remote_addr;
}

struct A1111Wish {
  Order order;
  int64_t batch_size = 1;
};

A1111Wish read_a1111(const Service& service, const json& body, bool from_picture) {
  std::string title = service.default_model(), sampler, scheduler = kScheduler;
  if (const auto overrides = body.find("override_settings"); overrides != body.end() && overrides->is_object())
    read_field(*overrides, "sd_model_checkpoint", title);
  const ServedModel model = model_of(service, title);
  Wish wish(model.card.config.sample);
  read_field(body, "prompt", wish.prompt);
  read_field(body, "negative_prompt", wish.negative);
  read_settings(body, wish.settings);  // steps, cfg_scale, eta, and those of ours by their names
  read_field(body, "sampler_name", sampler);
  if (sampler.empty()) read_field(body, "sampler_index", sampler);
  if (!sampler.empty()) wish.settings.sampler.kind = sampler_of(sampler);
  read_field(body, "scheduler", scheduler);
  if (!scheduler.empty() && lower_case(scheduler) != kScheduler)
    fail("scheduler is '{}': expected {}, since a sampler chooses its times itself", shortened(scheduler, kShownOfText),
         kScheduler);
  A1111Wish all;
  int64_t rounds = 1, width = 0, height = 0;
  read_field(body, "batch_size", all.batch_size, 1, kMostPictures);
  read_field(body, "n_iter", rounds, 1, kMostPictures);
  constexpr int64_t kLargest = 16384;
  read_field(body, "width", width, 1, kLargest);  // the model has one size, whatever is asked
  read_field(body, "height", height, 1, kLargest);
  if (all.batch_size * rounds > kMostPictures)
    fail("batch_size x n_iter is {}: expected at most {}", all.batch_size * rounds, kMostPictures);
  wish.seeds = seeds_from(read_seed(body, "seed").value_or(new_seed()), all.batch_size * rounds);
  if (from_picture) {
    const auto pictures = body.find("init_images");
    if (pictures == body.end() || !pictures->is_array() || pictures->size() != 1)
      fail("init_images: expected a list of one picture in base64");
    read_picture(pictures->front(), "init_images", wish.init);
    if (const auto mask = body.find("mask"); mask != body.end() && !mask->is_null())
      read_picture(*mask, "mask", wish.mask);
    read_setting(body, "denoising_strength", "strength", wish.settings);
  }
  all.order = make_order(model.name, model.card, model.picture_size, wish);
  return all;
}

json info_of(const Job& job, const ServedModel& model, int64_t batch_size) {
  const Request& first = job.order.requests.front();
  const SampleConfig& settings = job.order.settings;
  json info = {{"prompt", first.prompt},
               {"negative_prompt", first.negative},
               {"seed", first.seed},
               {"subseed", first.seed},
               {"subseed_strength", 0},
               {"width", model.picture_size},
               {"height", model.picture_size},
               {"sampler_name", settings.sampler.kind},
               {"cfg_scale", settings.cfg_scale},
               {"steps", settings.sampler.steps},
               {"batch_size", batch_size},
               {"denoising_strength", settings.strength},
               {"sd_model_name", model.name},
               {"sd_model_hash", model.hash},
               {"job_timestamp", std::to_string(job.created)},
               {"version", "uvic " UVIC_VERSION}};
  for (const char* list : {"all_prompts", "all_negative_prompts", "all_seeds", "all_subseeds", "infotexts"})
    info[list] = json::array();
  for (size_t i = 0; i < job.pictures.size(); ++i) {
    if (job.pictures[i].png.empty()) continue;
    const Request& request = job.order.requests[i];
    info["all_prompts"].push_back(request.prompt);
    info["all_negative_prompts"].push_back(request.negative);
    info["all_seeds"].push_back(request.seed);
    info["all_subseeds"].push_back(request.seed);
    info["infotexts"].push_back(job.pictures[i].parameters);
  }
  return info;
}

void answer_a1111(Service& service, const httplib::Request& request, httplib::Response& response, bool from_picture) {
  json body = body_of(request);
  A1111Wish wish = read_a1111(service, body, from_picture);
  const JobPtr job = service.queue.add(std::move(wish.order), a1111_client(request));
  await(service.queue, job);
  // What was interrupted ends with the pictures that are done.
  const JobState state = service.queue.look([&] { return job->state; });
  if (state == JobState::kFailed) expect_drawn(service.queue, job);
  for (const char* picture : {"init_images", "mask"})
    if (body.contains(picture)) body[picture] = nullptr;
  const ServedModel model = service.models.find(job->order.model);
  json answer = {{"images", json::array()}, {"parameters", std::move(body)}};
  service.queue.look([&] {
    for (const JobPicture& picture : job->pictures)
      if (!picture.png.empty()) answer["images"].push_back(to_base64(picture.png));
    answer["info"] = info_of(*job, model, wish.batch_size).dump();
  });
  answer_json(response, answer.dump());
}

json progress_json(const Service& service) {
  json answer = {{"progress", 0},
                 {"eta_relative", 0},
                 {"current_image", nullptr},
                 {"textinfo", nullptr},
                 {"state",
                  {{"skipped", false},
                   {"interrupted", false},
                   {"stopping_generation", false},
                   {"job", ""},
                   {"job_count", 0},
                   {"job_timestamp", "0"},
                   {"job_no", 0},
                   {"sampling_step", 0},
                   {"sampling_steps", 0}}}};
  const std::vector<JobPtr> jobs = service.queue.jobs();
  service.queue.look([&] {
    const auto running =
        std::find_if(jobs.rbegin(), jobs.rend(), [](const JobPtr& job) { return job->state == JobState::kRunning; });
    if (running == jobs.rend()) return;
    const Job& job = **running;
    answer["progress"] = progress_of(job);
    answer["eta_relative"] = eta_of(job).value_or(0);
    json& state = answer["state"];
    state["job"] = std::to_string(job.id);
    state["job_count"] = job.pictures.size();
    state["job_timestamp"] = std::to_string(job.created);
    state["job_no"] = job.done;
    state["sampling_step"] = job.calls;
    state["sampling_steps"] = job.order.settings.sampler.steps;
    const auto preview = std::ranges::find_if(job.previews, [](const Preview& each) { return each.calls > 0; });
    if (preview != job.previews.end()) answer["current_image"] = to_base64(preview->png);
  });
  return answer;
}

void interrupt_client(Service& service, const std::string& client) {
  for (const JobPtr& job : service.queue.jobs())
    if (job->client == client && service.queue.look([&] { return job->state == JobState::kRunning; }))
      service.queue.cancel(job);
}

json sampler_list() {
  json list = json::array();
  for (const auto& sampler : samplers()) {
    json aliases = json::array();
    for (const auto& row : kSamplerNames)
      if (row.second == sampler.name) aliases.push_back(row.first);
    list.push_back({{"name", sampler.name}, {"aliases", aliases}, {"options", json::object()}});
  }
  return list;
}

}  // namespace

void add_a1111_routes(HttpServer& server, Service& service) {
  for (const bool from_picture : {false, true})
    server.Post(from_picture ? "/sdapi/v1/img2img" : "/sdapi/v1/txt2img",
                [&service, from_picture](const httplib::Request& request, httplib::Response& response) {
                  answer_a1111(service, request, response, from_picture);
                });
  server.Get("/sdapi/v1/progress", [&](const httplib::Request&, httplib::Response& response) {
    answer_json(response, progress_json(service).dump());
  });
  server.Post("/sdapi/v1/interrupt", [&](const httplib::Request& request, httplib::Response& response) {
    interrupt_client(service, a1111_client(request));
    answer_json(response, "{}");
  });
  server.Get("/sdapi/v1/options", [&](const httplib::Request&, httplib::Response& response) {
    const ServedModel model = service.models.find(service.default_model());
    answer_json(
        response,
        json{{"sd_model_checkpoint", title_of(model)}, {"sd_checkpoint_hash", model.hash}, {"samples_format", "png"}}
            .dump());
  });
  server.Post("/sdapi/v1/options", [&](const httplib::Request& request, httplib::Response& response) {
    std::string title;
    read_field(body_of(request), "sd_model_checkpoint", title);
    if (!title.empty()) service.set_default_model(model_of(service, title).name);
    answer_json(response, "null");
  });
  server.Get("/sdapi/v1/samplers", [](const httplib::Request&, httplib::Response& response) {
    answer_json(response, sampler_list().dump());
  });
  server.Get("/sdapi/v1/schedulers", [](const httplib::Request&, httplib::Response& response) {
    answer_json(response, json::array({{{"name", kScheduler},
                                        {"label", "Automatic"},
                                        {"aliases", nullptr},
                                        {"default_rho", -1},
                                        {"need_inner_model", false}}})
                              .dump());
  });
  server.Get("/sdapi/v1/sd-models", [&](const httplib::Request&, httplib::Response& response) {
    json list = json::array();
    for (const ServedModel& model : service.models.all())
      list.push_back({{"title", title_of(model)},
                      {"model_name", model.name},
                      {"hash", model.hash},
                      {"sha256", nullptr},
                      {"filename", model.path.filename().string()},
                      {"config", nullptr}});
    answer_json(response, list.dump());
  });
}

}  // namespace uvic
