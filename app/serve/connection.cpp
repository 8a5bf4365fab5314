#include "app/serve/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace uvic {
namespace {

constexpr std::chrono::milliseconds kLook{100};  // how often a wait looks whether the server ends
// What a client takes of a response at least, so that one that reads a byte now and then holds no thread for ever.
constexpr double kLeastBytesPerSecond = 16 << 10;

void address_of(const sockaddr_storage& address, std::string& ip, int& port) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    port = ntohs(v6.sin6_port);
  }
  ip = text;
}

}  // namespace

bool Connection::wait(short events, Clock::time_point until) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd one{socket_, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::max<int64_t>(0, left)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

bool Connection::wait_for_request(const std::atomic<bool>& is_ending) {
  taken_ = line_ = 0;
  in_body_ = timed_out_ = too_long_ = answered_ = false;
  const auto idle_until = Clock::now() + limits_.idle;
  while (at_ == end_ && !wait(POLLIN, std::min(idle_until, Clock::now() + kLook)))
    if (is_ending || Clock::now() >= idle_until) return false;
  until_ = Clock::now() + limits_.head;
  return at_ < end_ || fill();
}

int Connection::problem() const {
  if (answered_ || is_gone()) return 0;
  if (too_long_) return in_body_ ? 413 : 431;
  return timed_out_ ? 408 : 400;
}

bool Connection::is_gone() const {
  char byte = 0;
  const ssize_t got = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool Connection::is_readable() const {
  return at_ < end_ || wait(POLLIN, until_);
}

bool Connection::is_writable() const {
  return !is_gone() && wait(POLLOUT, Clock::now() + limits_.write);
}

bool Connection::fill() {
  if (!wait(POLLIN, until_)) {
    timed_out_ = true;
    return false;
  }
  const ssize_t got = ::recv(socket_, buffer_.data(), buffer_.size(), 0);
  at_ = 0;
  end_ = got > 0 ? static_cast<size_t>(got) : 0;
  return got > 0;
}

// Finds the end of the head: a line without anything in it.
void Connection::pass(std::string_view bytes) {
  for (const char c : bytes) {
    ++taken_;
    if (in_body_ || c == '\r') continue;
    if (c != '\n') {
      ++line_;
    } else if (std::exchange(line_, 0) == 0) {
      in_body_ = true;
      taken_ = 0;
      until_ = Clock::now() + limits_.body;
    }
  }
}

ssize_t Connection::read(char* out, size_t size) {
  if (taken_ >= (in_body_ ? limits_.body_bytes : limits_.head_bytes)) {
    too_long_ = true;
    return -1;
  }
  if (Clock::now() >= until_) {
    timed_out_ = true;
    return -1;
  }
  if (at_ == end_ && !fill()) return timed_out_ ? -1 : 0;
  const size_t count = std::min(size, end_ - at_);
  std::memcpy(out, buffer_.data() + at_, count);
  at_ += count;
  pass({out, count});
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* data, size_t size) {
  answered_ = true;
  const auto until =
      Clock::now() + limits_.write +
      std::chrono::milliseconds(static_cast<int64_t>(1000 * static_cast<double>(size) / kLeastBytesPerSecond));
  size_t sent = 0;
  while (sent < size) {
    if (!wait(POLLOUT, until)) return -1;
    const ssize_t count = ::send(socket_, data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return -1;
    sent += static_cast<size_t>(std::max<ssize_t>(0, count));
  }
  return static_cast<ssize_t>(sent);
}

void Connection::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0) address_of(address, ip, port);
}

void Connection::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0) address_of(address, ip, port);
}

}  // namespace uvic
