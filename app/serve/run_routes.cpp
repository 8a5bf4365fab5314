// /api/runs: training as it goes on.
#include <cctype>

#include "app/inspect/run_record.h"
#include "app/serve/service.h"
#include "core/error.h"
#include "core/files.h"

namespace uvic {
namespace {

using Object = nlohmann::ordered_json;

// As it may stand in a part of an address.
std::string in_url(const std::string& text) {
  std::string url;
  for (const unsigned char c : text)
    url += std::isalnum(c) || c == '-' || c == '_' || c == '.' ? std::string(1, static_cast<char>(c))
                                                               : fmt::format("%{:02X}", c);
  return url;
}

std::string url_of_sample(const std::string& run, const fs::path& file) {
  return fmt::format("/api/runs/{}/samples/{}", in_url(run), in_url(file.filename().string()));
}

Object head_of(const RunRecord& run) {
  return {{"name", run.name()},
          {"step", run.step},
          {"steps", run.steps},
          {"state", run.state == RunState::kTraining ? "running" : "still"}};
}

Object json_of_run(const RunRecord& run, int64_t after) {
  Object json = head_of(run);
  json["config"] = run.config;
  json["rows"] = json["scores"] = json["samples"] = Object::array();
  for (const RunRow& row : run.rows) {
    if (row.step <= after) continue;
    Object fields{{"step", row.step}, {"time", row.time}};
    for (const auto& [name, value] : row.values) fields[name] = value;
    json["rows"].push_back(std::move(fields));
  }
  for (const ScoreRow& score : scores_in(run.rows)) {
    Object fields{{"step", score.step}, {"label", score.label}, {"value", score.value}};
    if (score.interval) {
      fields["low"] = score.interval->first;
      fields["high"] = score.interval->second;
    }
    json["scores"].push_back(std::move(fields));
  }
  for (const SampleFile& sample : run.samples)
    if (sample.file.extension() == ".png")
      json["samples"].push_back({{"step", sample.step}, {"url", url_of_sample(run.name(), sample.file)}});
  return json;
}

int64_t after_of(const httplib::Request& request) {
  const std::string text = request.get_param_value("after");
  if (text.empty()) return -1;
  if (text.size() > 18 || text.find_first_not_of("0123456789") != std::string::npos)
    fail("after is '{}': expected a step", text);
  return std::stoll(text);
}

}  // namespace

void add_run_routes(HttpServer& server, Service& service) {
  server.Get("/api/runs", [&](const httplib::Request&, httplib::Response& response) {
    Object json{{"runs", Object::array()}};
    for (const fs::path& folder : service.runs.all()) json["runs"].push_back(head_of(read_run(folder)));
    answer_json(response, json.dump());
  });
  server.Get(R"(/api/runs/([^/]+))", [&](const httplib::Request& request, httplib::Response& response) {
    const RunRecord run = read_run(service.runs.find(request.matches[1]));
    answer_json(response, json_of_run(run, after_of(request)).dump());
  });
  server.Get(R"(/api/runs/([^/]+)/samples/([^/]+))", [&](const httplib::Request& request, httplib::Response& response) {
    const std::string name = request.matches[2];
    for (const SampleFile& sample : list_samples(service.runs.find(request.matches[1])))
      if (sample.file.filename() == name && sample.file.extension() == ".png")
        return response.set_content(read_file(sample.file, "sample"), "image/png");
    throw HttpError{404, "the run has no such sample"};
  });
}

}  // namespace uvic
