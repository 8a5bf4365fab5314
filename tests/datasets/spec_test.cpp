#include "datasets/spec.h"

#include <gtest/gtest.h>

#include "datasets/dataset.h"
#include "tests/temporary.h"

namespace uvic::spec_test {
namespace {

using Options = std::map<std::string, std::string>;

TEST(Spec, HasKindPathAndOptions) {
  const Spec spec = Spec::parse("cifar10:/data/a:b c?split=test&limit=512");
  EXPECT_EQ(spec.kind, "cifar10");
  EXPECT_EQ(spec.path, "/data/a:b c");
  EXPECT_EQ(spec.options, (Options{{"split", "test"}, {"limit", "512"}}));
}

TEST(Spec, IsUtf8) {
  EXPECT_EQ(Spec::parse("folder:caf\xC3\xA9").path, "caf\xC3\xA9");
  expect_mentions(error_of([] { Spec::parse("folder:caf\xE9?size=8"); }), {"folder:caf\\xe9", "UTF-8"});
}

TEST(Spec, PathAndOptionsMayBeMissing) {
  EXPECT_EQ(Spec::parse("shapes").kind, "shapes");
  EXPECT_EQ(Spec::parse("shapes").path, "");
  EXPECT_TRUE(Spec::parse("shapes").options.empty());
  EXPECT_EQ(Spec::parse("shapes?size=16").options, (Options{{"size", "16"}}));
  EXPECT_EQ(Spec::parse("folder:../x").path, "../x");
}

TEST(Spec, ValuesMayHoldEqualsAndQuestionMarks) {
  EXPECT_EQ(Spec::parse("folder:x?a=b=c&d=e?").options, (Options{{"a", "b=c"}, {"d", "e?"}}));
}

TEST(Spec, TextIsParsedBack) {
  for (const auto* text : {"shapes", "shapes?seed=3&size=16", "coco:/a b/c", "folder:x:y?limit=5&strict=true"}) {
    const Spec spec = Spec::parse(text);
    EXPECT_EQ(spec.text(), text);
    const Spec again = Spec::parse(spec.text());
    EXPECT_EQ(again.kind, spec.kind);
    EXPECT_EQ(again.path, spec.path);
    EXPECT_EQ(again.options, spec.options);
  }
}

TEST(Spec, FaultsAreNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "names no kind"},
      {":x", "names no kind"},
      {"?size=3", "names no kind"},
      {"/data/pictures", "folder:/data/pictures"},
      {"./x", "folder:./x"},
      {"shapes?", "empty option"},
      {"shapes?size=3&", "empty option"},
      {"shapes?size", "option 'size' has no value"},
      {"shapes?size=", "option 'size' has no value"},
      {"shapes?=3", "no name before '='"},
      {"shapes?size=3&size=4", "option 'size' twice"},
  };
  for (const auto& [text, part] : cases) expect_mentions(error_of([&] { Spec::parse(text); }), {part});
}

TEST(Spec, NumbersAndFlags) {
  const Spec spec = Spec::parse("shapes?a=12&b=-3&c=1x&d=true&e=0&f=yes&g=99999999999999999999");
  EXPECT_EQ(spec.get_int("a", 7), 12);
  EXPECT_EQ(spec.get_int("b", 7), -3);
  EXPECT_EQ(spec.get_int("none", 7), 7);
  EXPECT_TRUE(spec.get_bool("d", false));
  EXPECT_FALSE(spec.get_bool("e", true));
  EXPECT_TRUE(spec.get_bool("none", true));
  EXPECT_EQ(spec.get("c", ""), "1x");
  expect_mentions(error_of([&] { spec.get_int("c", 0); }), {"'c' must be a whole number, not '1x'"});
  expect_mentions(error_of([&] { spec.get_int("g", 0); }), {"'g' must be a whole number"});
  expect_mentions(error_of([&] { spec.get_bool("f", false); }), {"'f' must be true or false, not 'yes'"});
}

TEST(CommonOptions, AreReadAndChecked) {
  const auto options = CommonOptions::of(Spec::parse("folder:x?split=val&size=64&limit=10&strict=true"));
  EXPECT_EQ(options.split, "test");
  EXPECT_EQ(options.size, 64);
  EXPECT_EQ(options.limit, 10);
  EXPECT_TRUE(options.strict);
  EXPECT_EQ(CommonOptions::of(Spec::parse("folder:x")).split, "train");
  const std::pair<const char*, const char*> cases[] = {{"split=dev", "'split' must be train, test or val, not 'dev'"},
                                                       {"size=-1", "'size' must be 1 to 4096"},
                                                       {"size=5000", "not 5000"},
                                                       {"limit=-2", "'limit'"},
                                                       {"strict=2", "'strict' must be true or false"}};
  for (const auto& [option, part] : cases) {
    const Spec spec = Spec::parse(std::string("folder:x?") + option);
    expect_mentions(error_of([&] { CommonOptions::of(spec); }), {part});
  }
}

TEST(Datasets, UnknownKindListsTheKinds) {
  const std::string message = error_of([] { open_dataset("imagenet:/x"); });
  expect_mentions(message, {"'imagenet'"});
  for (const auto& kind : dataset_kinds()) expect_mentions(message, {std::string(kind.name)});
}

TEST(Datasets, EveryKindRejectsUnknownOptionsAndMissingPaths) {
  for (const auto& kind : dataset_kinds()) {
    const std::string name(kind.name);
    const std::string message = error_of([&] { open_dataset(name + ":/nowhere?flavour=sweet&limit=3"); });
    expect_mentions(message, {"has no option 'flavour'"});
    expect_mentions(message, {"split, size, limit, strict"});
    expect_mentions(error_of([&] { open_dataset(name + ":/nowhere/at/all"); }), {"/nowhere/at/all"});
  }
}

}  // namespace
}  // namespace uvic::spec_test
