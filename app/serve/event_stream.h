// Server-sent events of a job.
#pragma once

#include <functional>
#include <string>

#include "app/serve/service.h"

namespace uvic {

struct EventStream {
  // What is to be told after a change of the job, "" for nothing; sets `is_over` with the last of it.
  std::function<std::string(bool& is_over)> next;
  bool cancels = false;  // the job, when its client hangs up
};

// HttpError 503 if there are too many streams: each holds a thread of the server.
void stream_events(Service& service, const JobPtr& job, const EventStream& stream, httplib::Response& response);

std::string event(const std::string& name, const std::string& data);

}  // namespace uvic
