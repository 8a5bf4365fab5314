#include "datasets/text_documents.h"

#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace uvic::text_documents_test {
namespace {

using Texts = std::vector<std::string>;

class Documents : public ::testing::Test {
 protected:
  std::string put(const std::string& name, const std::string& bytes) {
    return "text:" + folder_.put(name, bytes).string();
  }
  static Texts texts(const std::string& spec) { return open_text(Spec::parse(spec)).texts; }
  static std::string error(const std::string& spec) {
    return error_of([&] { texts(spec); });
  }
  TemporaryFolder folder_;
};

TEST_F(Documents, AreLinesParagraphsOrTheFile) {
  const std::string file = put("a.txt", "one\r\ntwo\n\n \nthree");
  EXPECT_EQ(texts(file), (Texts{"one", "two", "three"}));
  EXPECT_EQ(texts(file + "?documents=paragraph"), (Texts{"one\ntwo", "three"}));
  EXPECT_EQ(texts(file + "?documents=file"), (Texts{"one\r\ntwo\n\n \nthree"}));
  EXPECT_EQ(texts(put("b.jsonl", "{\"text\": \"a\\nb\"}\n\n{\"id\": 3, \"text\": \"c\"}\n")), (Texts{"a\nb", "c"}));
  EXPECT_EQ(texts(put("bom.txt", "\xEF\xBB\xBFone")), (Texts{"one"}));
}

TEST_F(Documents, PartsOfAFileAreTakenFromItsEnds) {
  const std::string file = put("a.txt", "1\n2\n3\n4\n5\n");
  EXPECT_EQ(texts(file + "?last=2"), (Texts{"4", "5"}));
  EXPECT_EQ(texts(file + "?but_last=2"), (Texts{"1", "2", "3"}));
  EXPECT_EQ(texts(file + "?but_last=2&limit=1"), (Texts{"1"}));
  EXPECT_EQ(texts(file + "?limit=9").size(), 5u);
}

TEST_F(Documents, MistakesAreNamed) {
  const std::string file = put("a.txt", "1\n2\n");
  expect_mentions(error(file + "?last=3"), {"2 documents"});
  expect_mentions(error(file + "?but_last=2"), {"2 documents"});
  expect_mentions(error(file + "?last=1&but_last=1"), {"both"});
  expect_mentions(error(file + "?limit=0"), {"limit"});
  expect_mentions(error(file + "?size=3"), {"size", "documents, limit, last, but_last"});
  expect_mentions(error(file + "?documents=word"), {"word", "line, paragraph, file"});
  expect_mentions(error("shapes:x"), {"shapes:x", "text:FILE"});
  expect_mentions(error("text:/nowhere/at/all.txt"), {"/nowhere/at/all.txt"});
  expect_mentions(error(put("empty.txt", "")), {"empty.txt", "no text"});
  expect_mentions(error(put("blank.txt", "\n \n")), {"blank.txt", "no text"});
  expect_mentions(error(put("latin.txt", "ok\ncaf\xE9\n")), {"latin.txt", "line 2", "UTF-8"});
  expect_mentions(error(put("a.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n")), {"a.jsonl", "line 2", "text"});
  expect_mentions(error(put("b.jsonl", "{\"text\": 3}\n")), {"b.jsonl", "line 1", "text"});
  expect_mentions(error(put("c.jsonl", "{\"text\": \"a\"}?documents=line")), {"c.jsonl"});
  expect_mentions(error(put("d.jsonl", "{\"text\": \"a\"}") + "?documents=line"), {"documents="});
}

}  // namespace
}  // namespace uvic::text_documents_test
