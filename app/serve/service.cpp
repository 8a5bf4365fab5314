#include "app/serve/service.h"

#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/formats/json_file.h"
#include "train/addresses.h"

namespace uvic {
namespace {

constexpr std::chrono::milliseconds kLook{250};  // how often a waiting thread looks whether its client is still there
constexpr int kClientGone = 499;                 // as nginx has it; nobody reads it
constexpr size_t kLongestClient = 64;

}  // namespace

nlohmann::json body_of(const httplib::Request& request) {
  if (!request.get_header_value("Content-Type").starts_with("application/json"))
    throw HttpError{415, "expected a body of Content-Type: application/json"};
  try {
    nlohmann::json body = parse_json(request.body, "the body");
    if (!body.is_object()) fail("the body is no JSON object");
    return body;
  } catch (const Error& error) {
    throw HttpError{400, error.what()};
  }
}

std::string client_of(const httplib::Request& request) {
  if (request.has_header("X-Client")) return request.get_header_value("X-Client").substr(0, kLongestClient);
  if (is_loopback(request.remote_addr)) return fmt::format("{}:{}", request.remote_addr, request.remote_port);
  return request.remote_addr;
}

void await(Queue& queue, const JobPtr& job) {
  while (true) {
    const auto [is_over, version] = queue.look([&] { return std::pair(job->is_over(), job->version); });
    if (is_over) return;
    queue.wait(job, version, kLook);
    if (!HttpServer::client_is_gone()) continue;
    queue.cancel(job);
    throw HttpError{kClientGone, "the client hung up"};
  }
}

void expect_drawn(const Queue& queue, const JobPtr& job) {
  const auto [state, error, status] = queue.look([&] { return std::tuple(job->state, job->error, job->error_status); });
  if (state == JobState::kFailed) throw HttpError{status, error};
  if (state == JobState::kCancelled) throw HttpError{503, error.empty() ? "the job was cancelled" : error};
}

}  // namespace uvic
