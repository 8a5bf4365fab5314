#include "app/http/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "app/http/request_head.h"
#include "core/error.h"

namespace uvic {
namespace {

constexpr std::chrono::milliseconds kLook{100};    // how often a wait looks whether the server ends
constexpr std::chrono::milliseconds kGrace{1000};  // that a client has then to take its response
constexpr std::chrono::milliseconds kLinger{500};
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

// Once the server ends, `grace` is all that is left of the time.
bool Connection::wait(short events, Clock::time_point until, std::chrono::milliseconds grace) const {
  std::optional<Clock::time_point> ended;
  while (true) {
    const Clock::time_point now = Clock::now();
    if (is_ending_ && !ended) ended = now;
    if (ended) until = std::min(until, *ended + grace);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
    pollfd one{socket_, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::clamp(left, std::chrono::milliseconds(0), kLook).count()));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (left.count() <= 0) return false;
  }
}

bool Connection::next_request() {
  std::memmove(buffer_.data(), buffer_.data() + at_, end_ - at_);
  end_ -= std::exchange(at_, 0);
  forget_body();
  head_left_ = body_left_ = 0;
  is_chunked_ = timed_out_ = too_long_ = false;
  until_ = Clock::now() + limits_.idle;
  if (end_ == 0 && !fill()) return false;
  until_ = Clock::now() + limits_.head;
  try {
    return take_head();
  } catch (const Error& error) {
    head_problem_ = {400, error.what()};
  }
  return false;
}

bool Connection::take_head() {
  size_t size = std::string::npos;
  for (size_t looked = 0; size == std::string::npos;) {
    size = end_of_head({buffer_.data(), end_}, std::exchange(looked, end_));
    if (size != std::string::npos) break;
    if (end_ == buffer_.size()) {
      head_problem_ = {431, reason(431)};
      return false;
    }
    if (fill()) continue;
    if (timed_out_) head_problem_ = {408, reason(408)};
    return false;
  }
  const RequestHead head = read_request_head({buffer_.data(), size});
  head_left_ = size;
  is_chunked_ = head.is_chunked;
  body_left_ = is_chunked_ ? limits_.body_bytes : static_cast<size_t>(head.body_bytes);
  until_ = Clock::now() + limits_.body;
  if (body_left_ > limits_.body_bytes) head_problem_ = {413, reason(413)};
  return head_problem_.status == 0;
}

int Connection::body_problem() const {
  if (too_long_) return 413;
  if (too_many_) return 503;
  if (timed_out_) return is_ending_ ? 503 : 408;
  return 0;
}

bool Connection::is_gone() const {
  char byte = 0;
  const ssize_t got = ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool Connection::is_readable() const {
  return at_ < end_ || wait(POLLIN, until_, {});
}

bool Connection::is_writable() const {
  return !is_gone() && wait(POLLOUT, Clock::now() + limits_.write, kGrace);
}

bool Connection::fill() {
  if (at_ == end_) at_ = end_ = 0;
  if (!wait(POLLIN, until_, {})) {
    timed_out_ = true;
    return false;
  }
  const ssize_t got = ::recv(socket_, buffer_.data() + end_, buffer_.size() - end_, 0);
  end_ += static_cast<size_t>(std::max<ssize_t>(0, got));
  return got > 0;
}

void Connection::forget_body() {
  all_bodies_ -= std::exchange(body_taken_, 0);
}

ssize_t Connection::read(char* out, size_t size) {
  const bool is_in_body = head_left_ == 0;
  size_t& left = is_in_body ? body_left_ : head_left_;
  if (left == 0) {
    too_long_ = is_chunked_;
    return too_long_ ? -1 : 0;
  }
  // However a client drips.
  timed_out_ = timed_out_ || Clock::now() >= until_;
  too_many_ = is_in_body && all_bodies_ > limits_.all_body_bytes;
  if (timed_out_ || too_many_) return -1;
  if (at_ == end_ && !fill()) return timed_out_ ? -1 : 0;
  const size_t count = std::min({size, end_ - at_, left});
  std::memcpy(out, buffer_.data() + at_, count);
  at_ += count;
  left -= count;
  if (is_in_body) {
    body_taken_ += count;
    all_bodies_ += count;
  }
  return static_cast<ssize_t>(count);
}

ssize_t Connection::write(const char* data, size_t size) {
  auto until = Clock::now() + limits_.write +
               std::chrono::milliseconds(static_cast<int64_t>(1000 * static_cast<double>(size) / kLeastBytesPerSecond));
  size_t sent = 0;
  while (sent < size) {
    if (is_ending_) until = std::min(until, Clock::now() + kGrace);
    if (!wait(POLLOUT, until, kGrace)) return -1;
    const ssize_t count = ::send(socket_, data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return -1;
    sent += static_cast<size_t>(std::max<ssize_t>(0, count));
  }
  return static_cast<ssize_t>(sent);
}

// A connection that is closed while something of it is unread is reset, and a client that still sends would hear of
// that in place of its answer.
void Connection::drain() {
  ::shutdown(socket_, SHUT_WR);
  const auto until = Clock::now() + kLinger;
  while (Clock::now() < until && wait(POLLIN, until, {}) && ::recv(socket_, buffer_.data(), buffer_.size(), 0) > 0) {
  }
}

Connection::~Connection() {
  if (head_problem_.status > 0) {
    const std::string response = whole_response(head_problem_);
    write(response.data(), response.size());
  }
  if (head_problem_.status > 0 || has_unread()) drain();
  forget_body();
  ::shutdown(socket_, SHUT_RDWR);
  ::close(socket_);
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
