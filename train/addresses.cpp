#include "train/addresses.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "core/error.h"
#include "core/interrupt.h"

namespace uvic {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Addresses look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), "9", &hints, &found) != 0) found = nullptr;
  return Addresses(found);
}

std::string in_numbers(const sockaddr* address, socklen_t length) {
  char name[NI_MAXHOST] = "";
  ::getnameinfo(address, length, name, sizeof(name), nullptr, 0, NI_NUMERICHOST);
  return name;
}

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress any_address(uint16_t port) {
  SocketAddress address;
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_any;
  v6.sin6_port = htons(port);
  address.length = sizeof(v6);
  return address;
}

SocketAddress v4_address(uint16_t port, in_addr_t host) {
  SocketAddress address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.storage);
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(host);
  v4.sin_port = htons(port);
  address.length = sizeof(v4);
  return address;
}

// -1 and errno if it cannot.
int try_to_listen(SocketAddress address) {
  constexpr int kWaiting = 4096;
  const int yes = 1, no = 0;
  const int file = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0) return -1;
  ::setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  if (address.storage.ss_family == AF_INET6) ::setsockopt(file, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
  if (::bind(file, address.get(), address.length) == 0 && ::listen(file, kWaiting) == 0) return file;
  const int error = errno;
  ::close(file);
  errno = error;
  return -1;
}

}  // namespace

std::string address_of(const std::string& host, std::chrono::milliseconds timeout) {
  constexpr std::chrono::milliseconds kRetry{500};
  for (const auto end = std::chrono::steady_clock::now() + timeout;;) {
    if (const Addresses found = look_up(host)) return in_numbers(found->ai_addr, found->ai_addrlen);
    if (interrupted() || std::chrono::steady_clock::now() + kRetry > end)
      fail("no address is known for the host '{}', where the ranks are to meet: set MASTER_ADDR to the host of rank 0",
           host);
    std::this_thread::sleep_for(kRetry);
  }
}

// Connecting a datagram socket sends nothing; it makes the system choose a way.
std::string own_address_towards(const std::string& host) {
  const Addresses all = look_up(host);
  for (const addrinfo* to = all.get(); to; to = to->ai_next) {
    const int file = ::socket(to->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (file < 0) continue;
    SocketAddress own;
    own.length = sizeof(own.storage);
    const bool is_way =
        ::connect(file, to->ai_addr, to->ai_addrlen) == 0 && ::getsockname(file, own.get(), &own.length) == 0;
    ::close(file);
    if (is_way) return in_numbers(own.get(), own.length);
  }
  fail("no network of this machine leads to '{}', where the ranks are to meet: set MASTER_ADDR to the host of rank 0",
       host);
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

ListeningSocket listen_at(uint16_t port, bool loopback_alone) {
  int file = try_to_listen(loopback_alone ? v4_address(port, INADDR_LOOPBACK) : any_address(port));
  if (file < 0 && !loopback_alone && errno != EADDRINUSE) file = try_to_listen(v4_address(port, INADDR_ANY));
  if (file < 0 && errno == EADDRINUSE)
    fail(
        "port {} of this machine, where the ranks are to meet, is in use: set MASTER_PORT to a free one for all ranks, "
        "or "
        "end the program that has it",
        port);
  if (file < 0)
    fail(
        "cannot listen at port {} of this machine, where the ranks are to meet ({}): set MASTER_PORT to another for "
        "all "
        "ranks",
        port, std::strerror(errno));
  SocketAddress own;
  own.length = sizeof(own.storage);
  ::getsockname(file, own.get(), &own.length);
  const bool is_v6 = own.storage.ss_family == AF_INET6;
  return {file, ntohs(is_v6 ? reinterpret_cast<sockaddr_in6&>(own.storage).sin6_port
                            : reinterpret_cast<sockaddr_in&>(own.storage).sin_port)};
}

}  // namespace uvic
