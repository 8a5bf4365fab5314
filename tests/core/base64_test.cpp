#include "core/formats/base64.h"

#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace uvic::base64_test {
namespace {

TEST(Base64, IsThatOfRfc4648AndBack) {
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64(""), "");
  for (const std::string& bytes :
       {std::string("\0\xFF\x80", 3), std::string(), std::string("ab"), std::string(300, 'x')})
    EXPECT_EQ(from_base64(to_base64(bytes), "it"), bytes);
  for (const char* damaged : {"Zm9", "Zm9vYm!y", "Zm9v\n"})
    expect_mentions(error_of([&] { from_base64(damaged, "my text"); }), {"my text", "damaged"});
}

}  // namespace
}  // namespace uvic::base64_test
