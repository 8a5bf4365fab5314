// Addresses of this machine and of others.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace uvic {

// In numbers. A name may become known while one waits, as those of pods do. Error if it does not within the time-out.
std::string address_of(const std::string& host, std::chrono::milliseconds timeout);

// This machine's address in the network that leads to that one. Error if none does.
std::string own_address_towards(const std::string& host);

bool is_loopback(const std::string& address);

struct ListeningSocket {
  int file;
  uint16_t port;
};
// At every address or at the loopback alone; port 0: a free one. Error naming the port if it is in use.
ListeningSocket listen_at(uint16_t port, bool loopback_alone);

}  // namespace uvic
