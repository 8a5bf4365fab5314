#include "datasets/fetch.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "tests/temporary.h"

namespace uvic::fetch_test {
namespace {

// An HTTP server on 127.0.0.1 that has one file, /files/data.bin.
class Server {
 public:
  struct Behaviour {
    bool ranges = true;
    int64_t drop_after = -1;    // close every connection after so many bytes of the body
    int64_t endless = 0;        // send the body so many times, and state no length
    std::string redirect = "";  // answer with this place in place of the body
    int redirects = 1 << 30;    // so many times
    std::string status = "";    // in place of 200, with the body as it is
  };

  Server(std::string body, Behaviour behaviour) : body_(std::move(body)), behaviour_(behaviour) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() { stop(); }

  void stop() {
    if (!thread_.joinable()) return;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}/files", port_); }

  int64_t sent() const { return sent_; }  // of an endless body

  std::vector<std::string> ranges() const {  // that were asked for, "" for none
    const std::lock_guard lock(mutex_);
    return ranges_;
  }

 private:
  void serve() {
    for (int client; (client = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(client)) answer(client);
  }

  void answer(int client) {
    std::string request;
    char block[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(client, block, sizeof block, 0);
      if (count <= 0) return;
      request.append(block, count);
    }
    constexpr std::string_view kRange = "Range: bytes=";
    const size_t at = request.find(kRange);
    std::string range;
    if (at != std::string::npos)
      range = request.substr(at + kRange.size(), request.find('\r', at) - at - kRange.size());
    {
      const std::lock_guard lock(mutex_);
      ranges_.push_back(range);
    }
    const auto total = static_cast<int64_t>(body_.size());
    const int64_t start = behaviour_.ranges && !range.empty() ? std::stoll(range) : 0;
    std::string head, body;
    if (behaviour_.endless > 0 || !behaviour_.status.empty()) {
      send_all(client, fmt::format("HTTP/1.1 {}\r\nConnection: close\r\n\r\n",
                                   behaviour_.status.empty() ? "200 OK" : behaviour_.status));
      for (int64_t i = 0; i < behaviour_.endless && send_all(client, body_); ++i) sent_ += std::ssize(body_);
      return;
    }
    if (!behaviour_.redirect.empty() && behaviour_.redirects-- > 0) {
      send_all(client,
               fmt::format("HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                           behaviour_.redirect));
      return;
    }
    if (!request.starts_with("GET /files/data.bin ")) {
      head = "HTTP/1.1 404 Not Found\r\n";
      body = "no such file";
    } else if (start >= total) {
      head = "HTTP/1.1 416 Range Not Satisfiable\r\n";
    } else {
      head = start == 0 ? "HTTP/1.1 200 OK\r\n"
                        : fmt::format("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{}/{}\r\n", start,
                                      total - 1, total);
      body = body_.substr(start);
    }
    head += fmt::format("Content-Length: {}\r\nConnection: close\r\n\r\n", body.size());
    if (behaviour_.drop_after >= 0) body.resize(std::min<size_t>(body.size(), behaviour_.drop_after));
    send_all(client, head + body);
  }

  static bool send_all(int client, const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t count = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += count;
    }
    return true;
  }

  std::string body_;
  Behaviour behaviour_;
  int listener_ = -1, port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> ranges_;
  std::atomic<int64_t> sent_ = 0;
  std::thread thread_;
};

using Ranges = std::vector<std::string>;

class Fetch : public ::testing::Test {
 protected:
  Fetch() {
    for (int64_t i = 0; i < 100000; ++i) body_ += static_cast<char>(i * i % 251);
    sum_ = sha256_of_bytes(body_);
    file_ = {"http://example.invalid/elsewhere/data.bin", static_cast<int64_t>(body_.size()), sum_};
    ::testing::internal::CaptureStderr();
  }
  ~Fetch() override { ::testing::internal::GetCapturedStderr(); }

  fs::path fetch_from(const Server& server) const { return fetch_file(file_, folder_ / "new/folder", server.url()); }
  fs::path target() const { return folder_ / "new/folder/data.bin"; }
  fs::path part() const { return folder_ / "new/folder/data.bin.part"; }
  void put_part(std::string_view bytes) const { folder_.put("new/folder/data.bin.part", bytes); }

  std::string body_, sum_;
  RemoteFile file_;
  TemporaryFolder folder_;
};

TEST_F(Fetch, DownloadsIntoANewFolder) {
  const Server server(body_, {});
  EXPECT_EQ(fetch_from(server), target());
  EXPECT_EQ(read_file(target(), "download"), body_);
  EXPECT_FALSE(fs::exists(part()));
  EXPECT_EQ(server.ranges(), Ranges{""});
}

TEST_F(Fetch, GoesOnWithAPart) {
  const Server server(body_, {});
  put_part(body_.substr(0, 70000));
  fetch_from(server);
  EXPECT_EQ(read_file(target(), "download"), body_);
  EXPECT_EQ(server.ranges(), Ranges{"70000-"});
}

TEST_F(Fetch, StartsAgainWhereRangesAreUnknown) {
  const Server server(body_, {.ranges = false});
  put_part(body_.substr(0, 70000));
  fetch_from(server);
  EXPECT_EQ(read_file(target(), "download"), body_);
}

TEST_F(Fetch, TakesADroppedConnectionUpAgain) {
  const Server server(body_, {.drop_after = 40000});
  fetch_from(server);
  EXPECT_EQ(read_file(target(), "download"), body_);
  EXPECT_EQ(server.ranges(), (Ranges{"", "40000-", "80000-"}));
}

TEST_F(Fetch, GivesUpWhereNoBytesComeAndKeepsThePart) {
  const Server server(body_, {.drop_after = 0});
  put_part(body_.substr(0, 70000));
  expect_mentions(error_of([&] { fetch_from(server); }), {server.url(), "data.bin.part", "70000"});
  EXPECT_EQ(server.ranges(), Ranges{"70000-"});
  EXPECT_EQ(fs::file_size(part()), 70000u);
}

TEST_F(Fetch, KeepsACorrectFile) {
  const Server server(body_, {});
  folder_.put("new/folder/data.bin", body_);
  EXPECT_EQ(fetch_from(server), target());
  EXPECT_EQ(server.ranges(), Ranges{});
}

TEST_F(Fetch, ReplacesAWrongFile) {
  const Server server(body_, {});
  folder_.put("new/folder/data.bin", "something else");
  fetch_from(server);
  EXPECT_EQ(read_file(target(), "download"), body_);
}

TEST_F(Fetch, RenamesACompletePart) {
  const Server server(body_, {});
  put_part(body_);
  fetch_from(server);
  EXPECT_EQ(read_file(target(), "download"), body_);
  EXPECT_EQ(server.ranges(), Ranges{});
}

TEST_F(Fetch, RefusesAWrongChecksumAndRemovesThePart) {
  std::string changed = body_;
  changed[12345] ^= 1;
  const Server server(changed, {});
  expect_mentions(error_of([&] { fetch_from(server); }), {"data.bin", sum_, sha256_of_bytes(changed)});
  EXPECT_FALSE(fs::exists(part()));
  EXPECT_FALSE(fs::exists(target()));
}

TEST_F(Fetch, RefusesAFileOfAnotherSize) {
  const Server shorter(body_.substr(0, 5000), {}), longer(body_ + body_, {});
  expect_mentions(error_of([&] { fetch_from(shorter); }), {"5000 bytes instead of 100000"});
  put_part(body_.substr(0, 70000));  // more than the server has: its answer is 416
  expect_mentions(error_of([&] { fetch_from(shorter); }), {"5000 bytes instead of 100000"});
  expect_mentions(error_of([&] { fetch_from(longer); }), {"200000 bytes instead of 100000"});
  EXPECT_FALSE(fs::exists(target()));
}

TEST_F(Fetch, WritesNoMoreThanTheFileHas) {
  const Server server(body_, {.endless = 500});
  put_part(body_.substr(0, 70000));
  expect_mentions(error_of([&] { fetch_from(server); }), {"more than 100000 bytes", "removed"});
  EXPECT_FALSE(fs::exists(part()));
  EXPECT_FALSE(fs::exists(target()));
  EXPECT_LT(server.sent(), 400 * std::ssize(body_));  // the rest is what the kernel buffers
}

TEST_F(Fetch, ReadsNoErrorPageWithoutEnd) {
  const Server server(body_, {.endless = 500, .status = "500 Broken"});
  expect_mentions(error_of([&] { fetch_from(server); }), {"the server answers 500"});
  EXPECT_LT(server.sent(), 400 * std::ssize(body_));
}

TEST_F(Fetch, FollowsRedirectsToHttpAlone) {
  const Server server(body_, {});
  const Server near(body_, {.redirect = server.url() + "/data.bin"});
  fetch_from(near);
  EXPECT_EQ(read_file(target(), "download"), body_);
  fs::remove(target());
  const fs::path local = folder_.put("local", body_);
  for (const std::string& place : {"file://" + local.string(), std::string("ftp://127.0.0.1/files/data.bin")}) {
    const Server elsewhere(body_, {.redirect = place});
    const std::string message = error_of([&] { fetch_from(elsewhere); });
    expect_mentions(message, {"cannot download", "rotocol"});
    EXPECT_FALSE(fs::exists(target())) << place;
  }
}

TEST_F(Fetch, FollowsFewRedirects) {
  const Server server(body_, {.redirect = "/files/data.bin", .redirects = 50});
  expect_mentions(error_of([&] { fetch_from(server); }), {"cannot download", "redirects"});
  EXPECT_EQ(server.ranges().size(), 11u);
}

TEST_F(Fetch, TakesAddressesOfHttpAlone) {
  folder_.put("files/data.bin", body_);
  const std::string local = "file://" + (folder_ / "files").string();
  expect_mentions(error_of([&] { fetch_file(file_, folder_ / "new/folder", local); }), {local, "http://"});
  EXPECT_FALSE(fs::exists(target()));
}

TEST_F(Fetch, ThrowsAwayAPartThatIsTooLong) {
  const Server server(body_, {});
  put_part(body_ + "x");
  fetch_from(server);
  EXPECT_EQ(read_file(target(), "download"), body_);
}

TEST_F(Fetch, NamesAServerThatIsDownAndAFileThatIsNotThere) {
  Server server(body_, {});
  expect_mentions(error_of([&] { fetch_file(file_, folder_.path(), server.url() + "/deeper"); }),
                  {"deeper/data.bin", "404"});
  server.stop();
  put_part("started");
  expect_mentions(error_of([&] { fetch_from(server); }), {server.url(), "connect"});
  EXPECT_TRUE(fs::exists(part()));
}

TEST_F(Fetch, DoesNotWriteAPartThatAnotherProcessWrites) {
  const Server server(body_, {});
  put_part("started");
  const int other = ::open(part().c_str(), O_WRONLY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  expect_mentions(error_of([&] { fetch_from(server); }), {"data.bin.part", "another process"});
  ::close(other);
}

TEST_F(Fetch, NamesAFolderItCannotMake) {
  const Server server(body_, {});
  folder_.put("new", "a file");
  expect_mentions(error_of([&] { fetch_from(server); }), {"new/folder"});
}

TEST_F(Fetch, FetchesARowOfTheTable) {
  const Server server(body_, {});
  expect_mentions(error_of([&] { fetch("imagenet", folder_.path(), server.url()); }),
                  {"imagenet", "cifar10", "mscoco"});
  expect_mentions(error_of([&] { fetch("cifar10", folder_.path(), server.url()); }), {"cifar-10-binary.tar.gz", "404"});
}

TEST(Fetchable, HasCompleteRows) {
  for (const auto& row : fetchable()) {
    EXPECT_FALSE(row.value.empty());
    for (const RemoteFile& file : row.value) {
      EXPECT_TRUE(file.url.starts_with("http"));
      EXPECT_EQ(file.sha256.size(), 64u) << file.url;
      EXPECT_EQ(file.sha256.find_first_not_of("0123456789abcdef"), std::string_view::npos) << file.url;
      EXPECT_GT(file.size, 1 << 20) << file.url;
    }
  }
}

}  // namespace
}  // namespace uvic::fetch_test
