#include "core/formats/json_file.h"

#include "core/text_file.h"
#include "tests/temporary.h"

namespace uvic::json_file_test {
namespace {

using namespace std::string_literals;

std::string repeated(std::string_view part, int64_t times) {
  std::string text;
  for (int64_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST(ParseJson, GivesWhatIsThere) {
  EXPECT_EQ(parse_json(R"({"a": [1, "x\"]", {}]})", "it")["a"][1], "x\"]");
  EXPECT_EQ(parse_json("\xEF\xBB\xBF[1]", "it")[0], 1);
  const auto ordered = parse_json<nlohmann::ordered_json>(R"({"z": 1, "a": 2})", "it");
  EXPECT_EQ(ordered.dump(), R"({"z":1,"a":2})");
  // What looks like nesting inside strings is none.
  EXPECT_EQ(parse_json("\"" + repeated("[\\\"", 1000) + "\"", "it").get<std::string>().size(), 2000u);
  EXPECT_EQ(parse_json(repeated("[", 64) + "\"\\\\\"" + repeated("]", 64), "it").size(), 1u);
}

TEST(ParseJson, EndsBeforeTheStackDoes) {
  for (const std::string& open : {"["s, R"({"a":)"s, R"([{"a":)"s}) {
    expect_mentions(error_of([&] { parse_json(repeated(open, 1'000'000), "the row"); }), {"the row", "64 levels"});
    EXPECT_EQ(try_parse_json(repeated(open, 1'000'000)), std::nullopt);
  }
  const std::string deep = repeated("[", 65) + repeated("]", 65);
  expect_mentions(error_of([&] { parse_json(deep, "it"); }), {"64 levels"});
  EXPECT_EQ(try_parse_json(deep), std::nullopt);
  // Escaped quotes and backslashes do not hide it.
  expect_mentions(error_of([&] { parse_json(R"(["\\",)" + deep + "]", "it"); }), {"64 levels"});
}

TEST(ParseJson, ManyValuesAreRefusedBeforeTheyTakeMemory) {
  expect_mentions(error_of([&] { parse_json("[" + repeated("[],", kMostJsonValues / 2 + 1) + "0]", "it"); }),
                  {"more than 33554432 values"});
}

TEST(ParseJson, NamesWhatIsWrong) {
  for (const std::string& text : {""s, "{"s, "[1] 2"s, "{\"a\" 1}"s, "[1e999]"s, "nul"s, "\"\\ud800\""s}) {
    expect_mentions(error_of([&] { parse_json(text, "the config x.json"); }), {"the config x.json is not JSON: "});
    EXPECT_EQ(try_parse_json(text), std::nullopt) << text;
  }
  const std::string message = error_of([&] { parse_json(repeated("x", 100'000), "it"); });
  EXPECT_LT(message.size(), 200u);
  EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
  expect_mentions(message, {"line 1, column 1"});
  expect_mentions(error_of([&] { parse_json("{\n\"a\": \"caf\xE9\"}", "x.json"); }),
                  {"x.json, line 2", "UTF-8", "caf\\xe9"});
  expect_mentions(error_of([&] { parse_json("\xFF\xFE[\0]\0"s, "x.json"); }), {"x.json", "UTF-16"});
}

TEST(JsonValues, AreOfTheTypeAskedFor) {
  const nlohmann::json row = parse_json(
      R"({"n": 7, "neg": -1, "big": 9223372036854775807, "more": 9223372036854775808, "float": 1e300, "half": 1.5,
          "text": "a", "null": null, "list": [1]})",
      "it");
  EXPECT_EQ(json_whole(row, "n", "it", 0), 7);
  EXPECT_EQ(json_whole(row, "neg", "it", INT64_MIN), -1);
  EXPECT_EQ(json_whole(row, "big", "it", 0), INT64_MAX);
  for (const char* key : {"neg", "more", "float", "half", "text", "null", "list"})
    expect_mentions(error_of([&] { json_whole(row, key, "x.json", 0); }),
                    {"x.json", key, "a whole number of 0 or more"});
  expect_mentions(error_of([&] { json_whole(row, "n", "x.json", 0, 6); }), {"a whole number of 0 to 6", "7"});
  EXPECT_EQ(json_number(row, "half", "it"), 1.5);
  EXPECT_EQ(json_number(row, "n", "it"), 7);
  for (const char* key : {"text", "null", "list"})
    expect_mentions(error_of([&] { json_number(row, key, "x.json"); }), {"x.json", key, "a number"});
  EXPECT_EQ(json_string(row, "text", "it"), "a");
  for (const char* key : {"n", "null", "list"})
    expect_mentions(error_of([&] { json_string(row, key, "x.json"); }), {"x.json", key, "text in quotes"});
  for (const auto& other : {row["list"], row["text"], row["null"], row})
    expect_mentions(error_of([&] { json_string(other, "gone", "x.json"); }), {"x.json", "there is no \"gone\""});
}

TEST(AsText, DropsTheMarkAndNothingElse) {
  EXPECT_EQ(as_text("\xEF\xBB\xBFx\n", "it"), "x\n");
  EXPECT_EQ(as_text("x\xEF\xBB\xBF", "it"), "x\xEF\xBB\xBF");
  EXPECT_EQ(as_text("", "it"), "");
  const TemporaryFolder folder;
  EXPECT_EQ(read_text(folder.put("x", "\xEF\xBB\xBF\xC3\xA9\r\n"), "thing"), "\xC3\xA9\r\n");
}

TEST(AsText, NamesTheLineThatIsNotUtf8) {
  expect_mentions(error_of([] { as_text("one\ntwo caf\xE9\n", "a.txt"); }),
                  {"a.txt, line 2", "UTF-8", "two caf\\xe9", "iconv"});
  expect_mentions(error_of([] { as_text("\xEF\xBB\xBF\xC3", "a.txt"); }), {"a.txt, line 1"});
  EXPECT_LT(error_of([] { as_text(std::string(100'000, '\xE9'), "a.txt"); }).size(), 300u);
  for (const std::string& utf16 : {"\xFF\xFEx\0"s, "\xFE\xFF\0x"s})
    expect_mentions(error_of([&] { as_text(utf16, "a.txt"); }), {"a.txt is UTF-16", "iconv"});
  expect_mentions(error_of([] { as_text("x\0y"s, "a.txt"); }), {"a.txt is no text"});
  const TemporaryFolder folder;
  expect_mentions(error_of([&] { read_text(folder.put("x", "\xE9"), "list"); }), {"the list ", "x, line 1"});
}

}  // namespace
}  // namespace uvic::json_file_test
