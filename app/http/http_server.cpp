#include "app/http/http_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

#include "app/http/connection.h"
#include "core/error.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr int kBacklog = 1024;  // connections that the system keeps until they are accepted
constexpr int kRequestsOfConnection = 1000;
constexpr const char* kBusy = "the server has as many connections as it takes";

thread_local Connection* current = nullptr;  // that this thread answers
thread_local bool refuses = false;           // what this thread gets is one too many

// The library's own interface differs between Debian 12 (0.11) and 13 (0.18): there is something to return, and the
// addresses are arguments.
using Enqueued = decltype(std::declval<httplib::TaskQueue&>().enqueue({}));
using SetUp = std::function<void(httplib::Request&)>;
using Process = bool (httplib::Server::*)(httplib::Stream&, bool, bool&, const SetUp&);
using ProcessOfAddresses = bool (httplib::Server::*)(httplib::Stream&, const std::string&, int, const std::string&, int,
                                                     bool, bool&, const SetUp&);

[[maybe_unused]] bool process(httplib::Server& server, Process process, Connection& connection, bool is_last,
                              bool& is_closed, const SetUp& set_up) {
  return (server.*process)(connection, is_last, is_closed, set_up);
}

[[maybe_unused]] bool process(httplib::Server& server, ProcessOfAddresses process, Connection& connection, bool is_last,
                              bool& is_closed, const SetUp& set_up) {
  std::string remote, local;
  int remote_port = 0, local_port = 0;
  connection.get_remote_ip_and_port(remote, remote_port);
  connection.get_local_ip_and_port(local, local_port);
  return (server.*process)(connection, remote, remote_port, local, local_port, is_last, is_closed, set_up);
}

// A thread for each connection, as many as there may be. One more is refused by the thread that accepts.
class ConnectionThreads final : public httplib::TaskQueue {
 public:
  explicit ConnectionThreads(int most) : most_(most) {}

  Enqueued enqueue(std::function<void()> answer) override {
    if (!begin(answer)) {
      refuses = true;
      answer();
      refuses = false;
    }
    return Enqueued(true);
  }

  void shutdown() override {
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return open_ == 0; });
  }

 private:
  bool begin(const std::function<void()>& answer) {
    const std::scoped_lock lock(mutex_);
    if (open_ == most_) return false;
    try {
      std::thread([this, answer] {
        answer();
        const std::scoped_lock lock(mutex_);
        --open_;
        ended_.notify_all();
      }).detach();
    } catch (const std::system_error&) {  // no more threads
      return false;
    }
    ++open_;
    return true;
  }

  const int most_;
  std::mutex mutex_;
  std::condition_variable ended_;
  int open_ = 0;
};

std::string error_json(const std::string& what) {
  return nlohmann::json{{"error", what}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Where an exception of a handler ends. What is nobody's mistake is told to who runs the server alone.
void answer_exception(const httplib::Request& request, httplib::Response& response, const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const HttpError& error) {
    answer_error(response, error);
  } catch (const Error& error) {
    answer_error(response, {422, error.what()});
  } catch (const std::exception& error) {
    warn(fmt::format("{} {}: {}", request.method, request.path, error.what()));
    answer_error(response, {500, "the server failed at this: its log says how"});
  }
}

}  // namespace

const char* reason(int status) {
  switch (status) {
    case 400:
      return "this is no request that the server understands";
    case 404:
      return "there is nothing of that name here";
    case 405:
      return "nothing here takes that method";
    case 408:
      return "the request did not come in time";
    case 413:
      return "the body is larger than the server takes";
    case 414:
      return "the address is longer than the server takes";
    case 416:
      return "there is no such part";
    case 431:
      return "the headers are longer than the server takes";
    case 503:
      return "the server has as much to read as it takes, or ends";
    default:
      return "this cannot be answered";
  }
}

std::string whole_response(const HttpError& error) {
  const std::string body = error_json(error.what);
  return fmt::format(
      "HTTP/1.1 {} Refused\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n{}",
      error.status, body.size(), error.retry_after > 0 ? fmt::format("Retry-After: {}\r\n", error.retry_after) : "",
      body);
}

HttpServer::HttpServer(const HttpLimits& limits) : limits_(limits) {
  new_task_queue = [this] { return new ConnectionThreads(limits_.connections); };
  set_payload_max_length(limits_.body_bytes);
  set_tcp_nodelay(true);
  // The library's own options let a second server listen on the port of the first and take half of what is asked.
  set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  set_exception_handler(answer_exception);
  set_keep_alive_max_count(kRequestsOfConnection);
  set_keep_alive_timeout(limits_.idle.count());
  set_error_handler([](const httplib::Request&, httplib::Response& response) {
    if (!response.body.empty()) return;
    if (const int problem = current->body_problem(); problem > 0) response.status = problem;
    answer_error(response, {response.status, reason(response.status), response.status == 503 ? 1 : 0});
  });
  set_post_routing_handler([](const httplib::Request&, httplib::Response& response) {
    if (!current->has_unread()) return;
    response.headers.erase("Connection");
    response.headers.erase("Keep-Alive");
    response.set_header("Connection", "close");
  });
}

int HttpServer::bind(const std::string& host, int port) {
  const int bound = port == 0 ? bind_to_any_port(host) : bind_to_port(host, port) ? port : -1;
  if (bound < 0)
    fail("cannot listen on {} port {}: it may be in use, or not this machine's; give another --port or --host", host,
         port);
  ::listen(svr_sock_, kBacklog);  // the library's own backlog of 5 makes clients that come at once wait for a second
  return bound;
}

bool HttpServer::client_is_gone() {
  return current && current->is_gone();
}

void HttpServer::end_all() {
  is_ending_ = true;
  stop();
}

bool HttpServer::process_and_close_socket(socket_t socket) {
  if (refuses) {
    const std::string response = whole_response({503, kBusy, 1});
    ::send(socket, response.data(), response.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(socket, SHUT_RDWR);
    ::close(socket);
    return true;
  }
  Connection connection(socket, limits_, is_ending_, body_bytes_);
  current = &connection;
  // Whatever parts are asked for, the whole is given: a thousand parts are a thousand times as long.
  const auto drop_ranges = [](httplib::Request& request) { request.ranges.clear(); };
  for (int left = kRequestsOfConnection; left > 0 && connection.next_request(); --left) {
    bool is_closed = false;
    const bool is_last = left == 1 || is_ending_;
    if (!process(*this, &HttpServer::process_request, connection, is_last, is_closed, drop_ranges) || is_closed ||
        connection.has_unread())
      break;
  }
  current = nullptr;
  return true;
}

void answer_json(httplib::Response& response, const std::string& json, int status) {
  response.status = status;
  response.set_content(json, "application/json");
}

void answer_error(httplib::Response& response, const HttpError& error) {
  if (error.retry_after > 0) response.set_header("Retry-After", std::to_string(error.retry_after));
  answer_json(response, error_json(error.what), error.status);
}

}  // namespace uvic
