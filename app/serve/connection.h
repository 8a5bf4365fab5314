// One connection of a client, read and written within limits of size and time.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "app/serve/http_server.h"

namespace uvic {

class Connection final : public httplib::Stream {
 public:
  Connection(int socket, const HttpLimits& limits) : socket_(socket), limits_(limits) {}

  // Whether another request begins within the idle time, and before `is_ending`.
  bool wait_for_request(const std::atomic<bool>& is_ending);
  // What is to be said where the request could not be read and nothing was answered; 0: nothing.
  int problem() const;
  bool is_gone() const;
  void end_after_response() { ends_ = true; }
  bool ends() const { return ends_; }

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* out, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool wait(short events, Clock::time_point until) const;
  bool fill();
  void pass(std::string_view bytes);

  int socket_;
  const HttpLimits& limits_;
  std::vector<char> buffer_ = std::vector<char>(16 << 10);
  size_t at_ = 0, end_ = 0;  // what of the buffer is still to be read
  // Of the request that is read:
  size_t taken_ = 0;  // bytes of its head, then of its body
  size_t line_ = 0;   // bytes of the head's line so far, without its end
  bool in_body_ = false, timed_out_ = false, too_long_ = false, answered_ = false, ends_ = false;
  Clock::time_point until_;
};

}  // namespace uvic
