#include "core/pickle/pickle.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/temporary.h"

using namespace std::string_literals;

namespace uvic::pickle_test {
namespace {

const fs::path kData = fs::path(UVIC_TEST_DATA) / "files";

PickleValue read(std::string_view bytes) {
  return read_pickle(bytes, "x.pkl", numpy_hooks());
}

std::string error_for(std::string_view bytes) {
  const std::string message = error_of([&] { read(bytes); });
  expect_mentions(message, {"x.pkl"});
  return message;
}

// The values that tests/data/files/make.py pickles, in every protocol.
class Protocol : public testing::TestWithParam<int> {
 protected:
  PickleValue all = read(read_file(kData / fmt::format("protocol{}.pkl", GetParam()), "pickle"));
  const PickleValue& at(std::string_view key) {
    const PickleValue* value = find(all.dict("values"), key);
    if (!value) fail("no value '{}'", key);
    return *value;
  }
};

TEST_P(Protocol, PlainValues) {
  EXPECT_TRUE(at("n").is_none());
  EXPECT_EQ(at("t").integer("t"), 1);
  EXPECT_EQ(at("i").integer("i"), -5);
  EXPECT_EQ(at("big").integer("big"), int64_t{1} << 40);
  EXPECT_EQ(std::get<double>(at("huge").value), std::ldexp(1.0, 70));
  EXPECT_EQ(std::get<double>(at("f").value), 2.5);
  EXPECT_EQ(at("s").text("s"), "\u00e9t\u00e9 \u20ac");
  EXPECT_EQ(at("b").text("b"), std::string("\x00\xff", 2));
  EXPECT_EQ(at("ba").text("ba"), "xy");
}

TEST_P(Protocol, Containers) {
  EXPECT_EQ(at("l").list("l")[1].list("inner")[0].integer("item"), 2);
  ASSERT_EQ(at("tup").list("tup").size(), 4u);
  EXPECT_EQ(at("tup").list("tup")[3].integer("item"), 4);
  ASSERT_EQ(at("set").list("set").size(), 1u);
  EXPECT_EQ(at("set").list("set")[0].integer("item"), 3);
  EXPECT_EQ(find(at("od").dict("od"), "a")->integer("a"), 1);
}

TEST_P(Protocol, NumpyArrays) {
  const Tensor& arr = at("arr").tensor("arr");
  EXPECT_EQ(arr.scalar_type(), at::kShort);
  EXPECT_TRUE(at::equal(arr, at::tensor({0, 2, 4, 1, 3, 5}, at::kShort).reshape({2, 3})));
  EXPECT_TRUE(at::equal(at("f16").tensor("f16"), at::arange(6, at::kHalf).reshape({2, 3})));
  EXPECT_TRUE(at::equal(at("flags").tensor("flags"), at::tensor({1, 0}, at::kInt).to(at::kBool)));
  EXPECT_EQ(std::get<double>(at("sc").value), 0.5);
}

INSTANTIATE_TEST_SUITE_P(All, Protocol, testing::Range(0, 6));

// As Python 2 wrote CIFAR-10: byte strings, numpy.core, protocol 2, an array that is memoized before it is built.
TEST(Pickle, ReadsPython2Arrays) {
  const std::string array =
      "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\0tU\1btRq\1(K\1K\2K\2\x86"
      "cnumpy\ndtype\nU\2u1K\0K\1\x87R(K\3U\1|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb\x89U\4abcdtb"s;
  const PickleValue value = read("\x80\2}(U\4data" + array + "U\5again" + "h\1u.");
  for (const char* key : {"data", "again"})
    EXPECT_TRUE(at::equal(find(value.dict("batch"), key)->tensor(key),
                          at::tensor({'a', 'b', 'c', 'd'}, at::kByte).reshape({2, 2})));
}

TEST(Pickle, TellsWhereItEnds) {
  size_t length = 0;
  const std::string two = "\x80\2K\7.\x80\2K\x08.";
  EXPECT_EQ(read_pickle(two, "x", {}, &length).integer("first"), 7);
  EXPECT_EQ(length, 5u);
  EXPECT_EQ(read_pickle(std::string_view(two).substr(length), "x", {}).integer("second"), 8);
}

TEST(Pickle, LaterKeysWin) {
  EXPECT_EQ(find(read("}(U\1aK\1U\1aK\2u.").dict("d"), "a")->integer("a"), 2);
}

TEST(Pickle, NamesForbiddenGlobals) {
  expect_mentions(error_for("cos\nsystem\n(S'true'\ntR."), {"os.system", "nothing in it was run"});
  expect_mentions(error_for("\x80\4\x8c\5posix\x8c\6system\x93."), {"posix.system"});
  expect_mentions(error_for("cbuiltins\neval\n."), {"builtins.eval"});
  expect_mentions(error_for("cnumpy\nload\n."), {"numpy.load"});
}

TEST(Pickle, RejectsDamage) {
  const std::string whole = read_file(kData / "protocol4.pkl", "pickle");
  for (size_t size = 0; size < whole.size(); ++size) error_for(whole.substr(0, size));
}

// Any value or error will do, but no crash (the sanitized build makes this strict).
TEST(Pickle, SurvivesFlippedBytes) {
  for (const int protocol : {0, 2, 4, 5}) {
    const std::string whole = read_file(kData / fmt::format("protocol{}.pkl", protocol), "pickle");
    int errors = 0;
    for (size_t i = 0; i < whole.size(); ++i)
      for (const int flip : {1, 0x20, 0x80}) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        try {
          read(damaged);
        } catch (const Error&) {
          ++errors;
        }
      }
    EXPECT_GT(errors, 0);
  }
}

struct Hostile {
  std::string bytes;
  const char* mentions;
};

TEST(Pickle, RejectsHostileStructure) {
  const Hostile cases[] = {
      {"", "truncated"},
      {".", "empty stack"},
      {"K\1(.", "empty stack"},
      {"0.", "empty stack"},
      {"t.", "no mark"},
      {"h\7.", "unknown memo entry 7"},
      {"K\1K\2a.", "not a list"},
      {"K\1(K\1K\2u.", "not a dict"},
      {"}(K\1u.", "not a dict"},
      {"K\1)R.", "not a global"},
      {"K\1Q.", "outside of it"},
      {"K\1}b.", "attributes"},
      {"\x80\x09.", "protocol 9"},
      {"\x82\1.", "opcode 0x82"},
      {"X\xff\xff\xff\x7f.", "truncated"},
      {"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "truncated"},
      {"\x8b\xff\xff\xff\xff.", "truncated"},
      {"I12x\n.", "malformed number"},
      {"S'a\n.", "not quoted"},
      {"S'\\x4'\n.", "hexadecimal"},
      {"V\\ud8\n.", "escape"},
      {"c_codecs\nencode\n(X\4\0\0\0\xe2\x82\xac!X\6\0\0\0latin1tR."s, "Latin-1"},
      {"]q\0h\0a."s, "contains itself"},
      {"}q\0(U\1ah\0u."s, "contains itself"},
  };
  for (const auto& hostile : cases) {
    SCOPED_TRACE(testing::PrintToString(hostile.bytes));
    expect_mentions(error_for(hostile.bytes), {hostile.mentions});
  }
}

TEST(Pickle, RejectsBombs) {
  const size_t many = 1'000'000;
  expect_mentions(error_for(std::string(many, ']') + std::string(many - 1, 'a') + "."), {"deep"});
  // The same chain, of which nothing is left on the stack; and a cycle that the result does not reach.
  expect_mentions(error_for(std::string(many, ']') + std::string(many - 1, 'a') + "0N."), {"deep"});
  expect_mentions(error_for("]q\1h\1a0N."), {"contains itself"});
  expect_mentions(error_for(std::string(6'000'000, 'N') + "."), {"more objects"});
  std::string copies = "X\0\0\1\0"s + std::string(65536, 's');
  for (int i = 0; i < 100'000; ++i) copies += '2';
  expect_mentions(error_for(copies + "."), {"proportion"});
  std::string arrays = "("s;  // the same megabyte made into an array again and again
  arrays += "cnumpy.core.numeric\n_frombuffer\nq\1(B\0\0\x10\0"s + std::string(1 << 20, 'x') +
            "cnumpy\ndtype\nU\2u1\x85RJ\0\0\x10\0\x85U\1Ctq\2R"s;
  for (int i = 0; i < 2000; ++i) arrays += "h\1h\2R";
  expect_mentions(error_for(arrays + "t."), {"proportion"});
}

TEST(Pickle, RejectsHostileArrays) {
  const auto array = [](const std::string& dtype, const std::string& shape) {
    return "cnumpy.core.numeric\n_frombuffer\n(U\4abcdcnumpy\ndtype\nU" +
           std::string(1, static_cast<char>(dtype.size())) + dtype + "\x85R" + shape + "U\1CtR.";
  };
  EXPECT_EQ(read(array("i1", "K\4\x85")).tensor("t").numel(), 4);
  expect_mentions(error_for(array("i1", "K\5\x85")), {"4 bytes", "needs 5"});
  expect_mentions(error_for(array("f8", "K\1\x85")), {"needs 8"});
  expect_mentions(error_for(array("O", "K\1\x85")), {"'=O'", "numbers and bools"});
  expect_mentions(error_for(array("b1", "K\4\x85")), {"bools"});
  expect_mentions(error_for(array("i1", "J\xff\xff\xff\xff\x85")), {"4 bytes"});
  expect_mentions(error_for(array("i1", "J\xff\xff\xff\x7f\x32\x32\x87")), {"more than fit"});
}

TEST(PickleValue, ErrorsNameTheValueAndBothTypes) {
  expect_mentions(error_of([] { PickleValue{}.list("the labels"); }), {"the labels", "None", "a list"});
  expect_mentions(error_of([] { PickleValue{2.5}.integer("the step"); }), {"the step", "a float", "an integer"});
  expect_mentions(error_of([] { PickleValue{std::string()}.tensor("w"); }), {"w", "a string", "a tensor"});
}

}  // namespace
}  // namespace uvic::pickle_test
