// /api/models and what else can be asked of the server itself.
#include "app/inspect/describe.h"
#include "app/serve/job_json.h"
#include "app/serve/service.h"
#include "core/device.h"
#include "core/error.h"

namespace uvic {
namespace {

using Object = nlohmann::ordered_json;

Object json_of(const ServedModel& model, bool is_loaded, bool can_suggest) {
  const UVitConfig& config = model.card.config.model;
  Object json{{"name", model.name},
              {"loaded", is_loaded},
              {"hash", model.hash},
              {"network", describe_config(model.card.config)["model"]["network"]},
              {"parameters", model.parameters},
              {"size", model.picture_size},
              {"text", config.context_tokens > 0},
              {"context_tokens", config.context_tokens},
              {"classes", model.card.classes},
              {"data", model.card.config.data.spec},
              {"step", model.card.step},
              {"can_suggest", can_suggest}};
  if (config.classes > 0 && model.card.classes.empty())
    for (int64_t i = 0; i < config.classes; ++i) json["classes"].push_back(std::to_string(i));
  json["words"] = Object::array();
  if (model.card.vocabulary) {
    const std::vector<std::string>& words = model.card.vocabulary->words();
    for (size_t i = Vocabulary::kUnknown + 1; i < words.size(); ++i) json["words"].push_back(words[i]);
  }
  json["settings"] = all_settings_of(model.card.config.sample);
  return json;
}

template <class T>
const char* type_name(const T&) {
  if (std::is_same_v<T, bool>) return "boolean";
  if (std::is_same_v<T, std::string>) return "choice";
  return std::is_integral_v<T> ? "integer" : "number";
}

Object all_settings() {
  Object list = Object::array();
  visit_choices([&](const Setting& setting, auto field) {
    const SampleConfig usual;
    const auto bound = [](double value) { return std::isfinite(value) ? Object(value) : Object(); };
    Object row{{"key", setting.key},        {"label", setting.recipe},
               {"help", setting.help},      {"type", type_name(field(usual))},
               {"low", bound(setting.low)}, {"high", bound(setting.high)}};
    row["choices"] = setting.choices ? Object(setting.choices()) : Object();
    list.push_back(std::move(row));
  });
  return {{"settings", list}};
}

std::string metrics(const Service& service) {
  const QueueNumbers numbers = service.queue.numbers();
  std::string text;
  const auto add = [&](const char* name, const char* type, const char* help, const auto& value) {
    text += fmt::format("# HELP uvic_{0} {2}\n# TYPE uvic_{0} {1}\nuvic_{0} {3}\n", name, type, help, value);
  };
  add("pictures_total", "counter", "Pictures drawn.", numbers.pictures);
  add("drawing_seconds_total", "counter", "Seconds in which batches were drawn.", numbers.drawing_seconds);
  add("waiting_pictures", "gauge", "Pictures that wait in the queue.", numbers.waiting_pictures);
  add("waiting_jobs", "gauge", "Jobs of which nothing is drawn yet.", numbers.waiting_jobs);
  add("running_jobs", "gauge", "Jobs that are being drawn.", numbers.running_jobs);
  add("event_streams", "gauge", "Open streams of events.", service.streams.load());
  add("peak_memory_bytes", "gauge", "The most memory the process has held at once.", peak_memory(at::kCPU));
  text += "# HELP uvic_jobs_total Jobs that are over, by how they ended.\n# TYPE uvic_jobs_total counter\n";
  for (const JobState state : {JobState::kDone, JobState::kCancelled, JobState::kFailed}) {
    const auto count = numbers.over.find(state);
    text += fmt::format("uvic_jobs_total{{state=\"{}\"}} {}\n", name_of(state),
                        count == numbers.over.end() ? 0 : count->second);
  }
  return text;
}

}  // namespace

void add_model_routes(HttpServer& server, Service& service) {
  server.Get("/api/models", [&](const httplib::Request&, httplib::Response& response) {
    const std::vector<ServedModel> models = service.models.all();
    Object json{{"default", models.empty() ? Object() : Object(service.models.find(service.default_model()).name)},
                {"models", Object::array()}};
    for (const ServedModel& model : models)
      json["models"].push_back(
          json_of(model, service.models.is_loaded(model.name), service.suggestions.has_any(model.card)));
    answer_json(response, json.dump());
  });
  server.Get("/api/settings", [](const httplib::Request&, httplib::Response& response) {
    answer_json(response, all_settings().dump());
  });
  server.Get("/api/suggestion", [&](const httplib::Request& request, httplib::Response& response) {
    const ServedModel model = service.models.find(request.get_param_value("model"));
    const auto suggestion = service.suggestions.next(model.card);
    if (!suggestion)
      throw HttpError{404, "nothing to suggest: start the server with --data SPEC or --captions-from MODEL"};
    answer_json(response, (suggestion->label.empty() ? Object{{"prompt", suggestion->prompt}}
                                                     : Object{{"class", suggestion->label}})
                              .dump());
  });
  server.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    answer_json(response, R"({"status": "ok"})");
  });
  server.Get("/metrics", [&](const httplib::Request&, httplib::Response& response) {
    response.set_content(metrics(service), "text/plain; version=0.0.4; charset=utf-8");
  });
}

}  // namespace uvic
