// What all interfaces of the server share.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "app/http/http_server.h"
#include "app/serve/access.h"
#include "app/serve/queue.h"
#include "app/serve/served_models.h"
#include "app/serve/served_runs.h"
#include "app/serve/suggestions.h"

namespace uvic {

class Service {
 public:
  Service(ServedModels& models, const ServedRuns& runs, Queue& queue, Suggestions& suggestions)
      : models(models), runs(runs), queue(queue), suggestions(suggestions) {}

  ServedModels& models;
  const ServedRuns& runs;
  Queue& queue;
  Suggestions& suggestions;

  // What is drawn with where a request names no model; "": the first.
  std::string default_model() const {
    const std::scoped_lock lock(mutex_);
    return default_model_;
  }
  void set_default_model(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    default_model_ = name;
  }

  std::atomic<int> streams = 0;  // of events that are open

 private:
  mutable std::mutex mutex_;
  std::string default_model_;
};

// The object in the body. HttpError 415 unless it is said to be JSON, 400 unless it is.
nlohmann::json body_of(const httplib::Request& request);

// Whose turn it is in the queue: by the X-Client header, else by address; on this machine by connection.
std::string client_of(const httplib::Request& request);

// Waits until the job is over. It is cancelled if the client hangs up meanwhile.
void await(Queue& queue, const JobPtr& job);

// HttpError of a job that failed or was cancelled.
void expect_drawn(const Queue& queue, const JobPtr& job);

// Each interface adds its own routes.
void add_job_routes(HttpServer& server, Service& service);
void add_model_routes(HttpServer& server, Service& service);
void add_run_routes(HttpServer& server, Service& service);
void add_a1111_routes(HttpServer& server, Service& service);
void add_openai_routes(HttpServer& server, Service& service);
void add_page_routes(HttpServer& server);

}  // namespace uvic
