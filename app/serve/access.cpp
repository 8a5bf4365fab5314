#include "app/serve/access.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>

#include <algorithm>

#include "app/http/http_server.h"
#include "core/error.h"
#include "core/formats/base64.h"
#include "train/addresses.h"

namespace uvic {
namespace {

// In a time that tells nothing of where they differ.
bool is_same(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// "[::1]:7860" -> "::1", "localhost:7860" -> "localhost"
std::string without_port(const std::string& authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.find(':'));
}

bool has_key(const Access& access, const httplib::Request& request) {
  const std::string given = request.get_header_value("Authorization");
  constexpr std::string_view kBearer = "Bearer ", kBasic = "Basic ";
  if (given.starts_with(kBearer)) return !access.key.empty() && is_same(given.substr(kBearer.size()), access.key);
  if (!given.starts_with(kBasic)) return false;
  std::string pair;
  try {
    pair = from_base64(given.substr(kBasic.size()), "the password");
  } catch (const Error&) {
    return false;
  }
  // A browser asks for a name and a password: the key is the password of whatever name.
  const std::string password = pair.substr(std::min(pair.size(), pair.find(':') + 1));
  return (!access.user.empty() && is_same(pair, access.user)) || (!access.key.empty() && is_same(password, access.key));
}

bool is_own_page(const std::string& origin, const std::string& host) {
  return origin == "http://" + host || origin == "https://" + host;  // a proxy may have put TLS before us
}

}  // namespace

bool is_this_machine(const std::string& host) {
  // In numbers: anybody may call a machine 127.example.org.
  in_addr v4{};
  return host == "localhost" || host == "::1" || (::inet_pton(AF_INET, host.c_str(), &v4) == 1 && is_loopback(host));
}

void expect_safe(const Access& access) {
  if (!is_this_machine(access.host) && !access.needs_key())
    fail("--host {} lets other machines in: give --api-key KEY or --user NAME:PASSWORD, which they must know",
         access.host);
  const size_t colon = access.user.find(':');
  if (!access.user.empty() && (colon == 0 || colon == std::string::npos || colon + 1 == access.user.size()))
    fail("--user: expected NAME:PASSWORD");
  for (const std::string& origin : access.origins)
    if (origin != "*" && !origin.starts_with("http://") && !origin.starts_with("https://"))
      fail("--cors {}: expected an origin such as https://example.org, or *", origin);
  if (std::ranges::count(access.origins, "*") > 0 && !access.needs_key())
    fail("--cors * lets every page of the web ask: give --api-key KEY, which they must know");
}

bool is_refused(const Access& access, const httplib::Request& request, httplib::Response& response) {
  const auto refuse = [&](const HttpError& error) {
    answer_error(response, error);
    return true;
  };
  const std::string host = request.get_header_value("Host"), origin = request.get_header_value("Origin");
  if (!access.needs_key() && !is_this_machine(without_port(host)))
    return refuse({403, "the Host header names another machine: ask http://localhost, or start the server with a key"});
  if (!origin.empty() && !is_own_page(origin, host)) {
    const bool is_listed = std::ranges::any_of(access.origins, [&](const auto& o) { return o == "*" || o == origin; });
    if (!is_listed) return refuse({403, "pages of other origins may not ask: start the server with --cors ORIGIN"});
    response.set_header("Access-Control-Allow-Origin", origin);
    response.set_header("Vary", "Origin");
    response.set_header("Access-Control-Allow-Credentials", "true");
    if (request.method == "OPTIONS") {
      response.set_header("Access-Control-Allow-Methods", "GET, POST, DELETE");
      response.set_header("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Client");
      response.set_header("Access-Control-Max-Age", "600");
      response.status = 204;
      return true;
    }
  }
  if (access.needs_key() && request.path != "/healthz" && !has_key(access, request)) {
    response.set_header("WWW-Authenticate", "Basic realm=\"uvic\", charset=\"UTF-8\"");
    return refuse({401, "a key is wanted: give it as `Authorization: Bearer KEY`, or as the password"});
  }
  return false;
}

}  // namespace uvic
