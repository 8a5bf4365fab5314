#include "app/http/request_head.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/temporary.h"

namespace uvic::request_head_test {
namespace {

constexpr const char* kPost = "POST /api/jobs HTTP/1.1\r\nHost: localhost\r\n";

std::string error_in(const std::string& head) {
  return error_of([&] { read_request_head(head + "\r\n"); });
}

TEST(RequestHead, EndsWithAnEmptyLine) {
  const std::string head = std::string(kPost) + "\r\n";
  for (size_t looked = 0; looked <= head.size(); ++looked)  // wherever it was broken off before
    EXPECT_EQ(end_of_head(head + "body", looked), looked == head.size() ? std::string::npos : head.size());
  EXPECT_EQ(end_of_head(kPost, 0), std::string::npos);
  for (const char* bytes : {"GET / HTTP/1.1\n", "\r\n", "GET /\rx", "GET /\r\r", "G\x01", "G\x7f"})
    EXPECT_NE(error_of([&] { end_of_head(bytes, 0); }), "") << bytes;
  EXPECT_NE(error_of([] { end_of_head(std::string_view("G\0", 2), 0); }), "");
}

TEST(RequestHead, SaysWhatBodyFollows) {
  EXPECT_EQ(read_request_head(std::string(kPost) + "\r\n").body_bytes, 0);
  EXPECT_EQ(read_request_head(std::string(kPost) + "content-length:\t12 \r\n\r\n").body_bytes, 12);
  EXPECT_TRUE(read_request_head(std::string(kPost) + "Transfer-Encoding: Chunked\r\n\r\n").is_chunked);
}

TEST(RequestHead, CanBeReadInOneWayOnly) {
  EXPECT_NO_THROW(read_request_head("GET / HTTP/1.0\r\n\r\n"));
  for (const char* length : {"-1", "+1", "0x1", "1,1", "1 1", "", "9999999999999999999"})
    EXPECT_NE(error_in(std::string(kPost) + "Content-Length: " + length + "\r\n"), "") << length;
  for (const char* encoding :
       {"gzip", "gzip, chunked", "", "chunked\r\nTransfer-Encoding: chunked", "chunked\r\nContent-Length: 1"})
    EXPECT_NE(error_in(std::string(kPost) + "Transfer-Encoding: " + encoding + "\r\n"), "") << encoding;
  for (const char* line :
       {"GET / HTTP/2.0", "GET / HTTP/1.1 ", "GET  / HTTP/1.1", "GET /", "G(T / HTTP/1.1", " GET / HTTP/1.1"})
    EXPECT_NE(error_in(std::string(line) + "\r\nHost: localhost\r\n"), "") << line;
  for (const char* header : {"Host: other", " folded", "Name : x", "Name", ": x"})
    EXPECT_NE(error_in(std::string(kPost) + header + "\r\n"), "") << header;
  EXPECT_NE(error_in("GET / HTTP/1.1\r\n"), "");  // no Host
  EXPECT_NE(error_in("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n"), "");
}

}  // namespace
}  // namespace uvic::request_head_test
