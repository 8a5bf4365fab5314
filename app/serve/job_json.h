// A job as JSON, and as events.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/serve/queue.h"

namespace uvic {

std::string_view name_of(JobState state);

// What a client sees of a job; `with_pictures`: also of the pictures that are done.
nlohmann::ordered_json job_json(const Queue& queue, const JobPtr& job, bool with_pictures);
nlohmann::ordered_json picture_json(const Job& job, size_t number);
// From 0 to 1; to be asked while nobody changes the job.
double progress_of(const Job& job);
// Seconds until its end, if it has gone far enough to tell.
std::optional<double> eta_of(const Job& job);

// All settings that a client may choose, by their keys; also those that are the program's default, since another
// model's own may differ.
nlohmann::ordered_json all_settings_of(const SampleConfig& settings);

// A picture of PNG bytes as a page shows it.
std::string data_url(const std::string& png);

// What of a job its stream of events has not told yet.
class JobEvents {
 public:
  explicit JobEvents(JobPtr job)
      : job_(std::move(job)), previewed_(job_->order.requests.size()), shown_(job_->order.requests.size()) {}
  std::string next(const Queue& queue, bool& is_over);

 private:
  JobPtr job_;
  bool is_first_ = true;
  std::vector<int64_t> previewed_;  // network calls of the preview that was told last
  std::vector<bool> shown_;
};

}  // namespace uvic
