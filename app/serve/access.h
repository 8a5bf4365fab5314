// Who may ask what: the key, and which pages of the web may reach a server of this machine.
#pragma once

#include <httplib.h>

#include <string>
#include <vector>

namespace uvic {

struct Access {
  std::string host = "127.0.0.1";    // that is listened on
  std::string key;                   // "": none
  std::string user;                  // "NAME:PASSWORD"; "": none
  std::vector<std::string> origins;  // "https://example.org" whose pages may ask, "*": all

  bool needs_key() const { return !key.empty() || !user.empty(); }
};

// Error for a host that other machines reach without a key, and for a user without a password.
void expect_safe(const Access& access);

// Whether `host`, a name or an address, can be reached from this machine alone.
bool is_this_machine(const std::string& host);

// Whether the request is refused, with the response. What is asked of a server without a key must be asked by one of
// this machine's names (a foreign name may have been led here: DNS rebinding), and whatever a browser asks by a page of
// this server or of `origins`.
bool is_refused(const Access& access, const httplib::Request& request, httplib::Response& response);

}  // namespace uvic
