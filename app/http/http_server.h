// cpp-httplib with bounds on what a client may take: connections, the length of a request, and the time to send it.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <string>

namespace uvic {

struct HttpLimits {
  int connections = 256;              // more are answered with 503 at once, whatever they want
  size_t head_bytes = 32 << 10;       // of the request line and all headers
  size_t body_bytes = 64 << 20;       // of a body, sent in chunks or not
  size_t all_body_bytes = 256 << 20;  // of the bodies of all connections together
  std::chrono::seconds idle{5};       // between two requests of a connection
  std::chrono::seconds head{10};      // until the head has come, however it drips
  std::chrono::seconds body{60};      // and the body
  std::chrono::seconds write{30};     // that a client may take for nothing of a response
};

// A thread for each connection. An Error that a handler throws is answered with 422 and {"error": what}, an HttpError
// with its own status.
class HttpServer : public httplib::Server {
 public:
  explicit HttpServer(const HttpLimits& limits = {});

  // Listens there; 0: on a free port. Returns the port. Error if that cannot be.
  int bind(const std::string& host, int port);
  // Whether the client that the calling thread answers has hung up.
  static bool client_is_gone();
  // Idle connections end, and requests that have not come as a whole; those at work end with their response.
  void end_all();

 private:
  bool process_and_close_socket(socket_t socket) override;

  HttpLimits limits_;
  std::atomic<bool> is_ending_ = false;
  std::atomic<size_t> body_bytes_ = 0;  // of all connections
};

struct HttpError {
  int status;
  std::string what;     // one sentence
  int retry_after = 0;  // seconds; 0: not said
};

// One sentence for what the library refuses.
const char* reason(int status);
// All of a response, for where the library has none. The connection ends with it.
std::string whole_response(const HttpError& error);

void answer_json(httplib::Response& response, const std::string& json, int status = 200);
// {"error": what}
void answer_error(httplib::Response& response, const HttpError& error);

}  // namespace uvic
