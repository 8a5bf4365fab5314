// One connection of a client, read and written within limits of size and time.
#pragma once

#include <httplib.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "app/http/http_server.h"
#include "core/clock.h"

namespace uvic {

class Connection final : public httplib::Stream {
 public:
  // `all_bodies`: bytes of the bodies that all connections are at.
  Connection(int socket, const HttpLimits& limits, const std::atomic<bool>& is_ending, std::atomic<size_t>& all_bodies)
      : socket_(socket), limits_(limits), is_ending_(is_ending), all_bodies_(all_bodies), buffer_(limits.head_bytes) {}
  // Ends the connection, having said what was wrong with a head.
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Waits for the head of another request; what is read then is that request, and nothing behind it. False: none comes
  // that could be handled.
  bool next_request();
  // Why the body could not be read, as a status; 0: nothing is wrong with it.
  int body_problem() const;
  // What follows on the connection is no other request, or not for sure.
  bool has_unread() const { return head_left_ > 0 || body_left_ > 0 || is_chunked_; }
  bool is_gone() const;

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* out, size_t size) override;
  ssize_t write(const char* data, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  bool wait(short events, Clock::time_point until, std::chrono::milliseconds grace) const;
  bool fill();
  bool take_head();
  void forget_body();
  void drain();

  int socket_;
  const HttpLimits& limits_;
  const std::atomic<bool>& is_ending_;
  std::atomic<size_t>& all_bodies_;
  std::vector<char> buffer_;  // as long as the longest head
  size_t at_ = 0, end_ = 0;   // what of it is still to be read
  HttpError head_problem_{};  // status 0: none
  Clock::time_point until_;   // what is awaited must have come
  size_t head_left_ = 0;      // of the request that is read
  size_t body_left_ = 0;      // that it has, or may have if it is chunked
  size_t body_taken_ = 0;
  bool is_chunked_ = false, timed_out_ = false, too_long_ = false, too_many_ = false;
};

}  // namespace uvic
