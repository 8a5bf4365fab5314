#include "app/serve/access.h"

#include <gtest/gtest.h>

#include "core/formats/base64.h"
#include "tests/temporary.h"

namespace uvic::access_test {
namespace {

struct Asked {
  std::string host = "localhost:7860", origin = {}, authorization = {}, path = "/api/jobs";
};

// The status of what is refused, 0 of what is not.
int status_of(const Access& access, const Asked& asked) {
  httplib::Request request;
  request.method = "GET";
  request.path = asked.path;
  request.set_header("Host", asked.host);
  if (!asked.origin.empty()) request.set_header("Origin", asked.origin);
  if (!asked.authorization.empty()) request.set_header("Authorization", asked.authorization);
  httplib::Response response;
  return is_refused(access, request, response) ? response.status : 0;
}

// A page of the web may have led its own name to this machine.
TEST(Access, OnlyThisMachinesNamesWithoutAKey) {
  const Access access;
  for (const char* host : {"localhost:7860", "127.0.0.1:7860", "[::1]:7860", "localhost"})
    EXPECT_EQ(status_of(access, {.host = host}), 0) << host;
  for (const char* host : {"evil.example:7860", "127.0.0.1.evil.example", "", "localhost.evil.example:1", "[", "[::1"})
    EXPECT_EQ(status_of(access, {.host = host}), host == std::string("[::1") ? 0 : 403) << host;
}

TEST(Access, OnlyPagesOfItsOwnAndListedOnes) {
  Access access;
  EXPECT_EQ(status_of(access, {.origin = "http://localhost:7860"}), 0);
  EXPECT_EQ(status_of(access, {.origin = "http://localhost:7861"}), 403);
  EXPECT_EQ(status_of(access, {.origin = "null"}), 403);
  access.origins = {"https://example.org"};
  EXPECT_EQ(status_of(access, {.origin = "https://example.org"}), 0);
  EXPECT_EQ(status_of(access, {.origin = "https://example.org.evil.example"}), 403);
}

TEST(Access, AKeyOpensInEachForm) {
  Access access{.host = "0.0.0.0", .key = "secret", .user = {}, .origins = {}};
  const auto status = [&](const std::string& text) {
    return status_of(access, {.host = "any", .authorization = text});
  };
  EXPECT_EQ(status(""), 401);
  EXPECT_EQ(status("Bearer secret"), 0);
  EXPECT_EQ(status("Bearer secre"), 401);
  EXPECT_EQ(status("Bearer secret2"), 401);
  EXPECT_EQ(status("Basic " + to_base64("anyone:secret")), 0);
  EXPECT_EQ(status("Basic " + to_base64("secret")), 0);  // a password alone
  EXPECT_EQ(status("Basic " + to_base64("anyone:other")), 401);
  EXPECT_EQ(status("Basic !"), 401);
  EXPECT_EQ(status_of(access, {.host = "any", .path = "/healthz"}), 0);
  access = {.host = "0.0.0.0", .key = {}, .user = "me:pass", .origins = {}};
  EXPECT_EQ(status("Basic " + to_base64("me:pass")), 0);
  EXPECT_EQ(status("Basic " + to_base64("you:pass")), 401);
  EXPECT_EQ(status("Bearer "), 401);
}

TEST(Access, OtherMachinesNeedAKey) {
  const auto error = [](const Access& access) { return error_of([&] { expect_safe(access); }); };
  EXPECT_NO_THROW(expect_safe({}));
  expect_mentions(error({.host = "0.0.0.0", .key = {}, .user = {}, .origins = {}}), {"0.0.0.0", "--api-key"});
  EXPECT_NO_THROW(expect_safe({.host = "0.0.0.0", .key = "k", .user = {}, .origins = {}}));
  expect_mentions(error({.host = "127.0.0.1", .key = {}, .user = "me", .origins = {}}), {"NAME:PASSWORD"});
  expect_mentions(error({.host = "127.0.0.1", .key = {}, .user = {}, .origins = {"*"}}), {"--api-key"});
  expect_mentions(error({.host = "127.0.0.1", .key = {}, .user = {}, .origins = {"example.org"}}), {"origin"});
}

}  // namespace
}  // namespace uvic::access_test
