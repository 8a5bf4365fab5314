// uvic fid --protocol, and the captions it chooses.
#include "app/score/protocol.h"

#include <set>

#include "eval/scoring.h"
#include "tests/app/fid_command.h"

namespace uvic::protocol_test {
namespace {

// Image i has i % 3 + 1 captions, such as "4b".
class Captions : public Dataset {
 public:
  explicit Captions(int64_t size) : size_(size) {}
  int64_t size() const override { return size_; }
  int64_t image_size() const override { return 8; }
  Tensor images(std::span<const int64_t> indices) const override {
    return at::tensor(at::ArrayRef<int64_t>(indices.data(), indices.size())).to(at::kByte).view({-1, 1, 1, 1});
  }
  std::vector<std::string> captions(int64_t i) const override {
    std::vector<std::string> list;
    for (int64_t k = 0; k < i % 3 + 1; ++k) list.push_back(fmt::format("{}{}", i, static_cast<char>('a' + k)));
    return list;
  }
  std::string description() const override { return "captions"; }

 private:
  int64_t size_;
};

std::vector<std::string> chosen(int64_t size, int64_t count) {
  const auto data = chosen_captions(std::make_shared<Captions>(size), count);
  std::vector<std::string> list;
  for (int64_t i = 0; i < data->size(); ++i) {
    list.push_back(data->captions(i).front());
    EXPECT_EQ(data->captions(i).size(), 1U);
    EXPECT_EQ(data->images(std::span(&i, 1)).item<int>(), std::stoi(list.back()) % 256)
        << "the caption of another image";
  }
  return list;
}

TEST(Protocol, ChoosesEveryImageOnceBeforeAnyTwice) {
  const auto once = chosen(9, 9), all = chosen(9, 18);
  std::set<int> images;
  for (const std::string& caption : once) images.insert(std::stoi(caption));
  EXPECT_EQ(images.size(), 9U);
  EXPECT_EQ(std::set(all.begin(), all.end()).size(), 18U);
  EXPECT_TRUE(std::equal(once.begin(), once.end(), all.begin()));
  expect_mentions(error_of([] { chosen(9, 19); }), {"18 captions", "19 are needed", "--num 18"});
}

// Another order would be another protocol under the same name.
TEST(Protocol, KeepsItsOrder) {
  EXPECT_EQ(chosen(1000, 4), (std::vector<std::string>{"109b", "907a", "639a", "971c"}));
}

TEST(Protocol, FixesTheData) {
  const auto& protocol = find(protocols(), "coco30k-val2014", "protocol");
  EXPECT_EQ(protocol_data(protocol, Spec::parse("coco:p")).text(),
            Spec::parse("coco:p?size=256&split=val&year=2014").text());
  EXPECT_EQ(protocol_data(protocol, Spec::parse("coco:p?size=32")).get_int("size", 0), 32);
  const auto error = [&](const char* spec) { return error_of([&] { protocol_data(protocol, Spec::parse(spec)); }); };
  expect_mentions(error("shapes"), {"coco30k-val2014", "shapes", "coco:PATH"});
  expect_mentions(error("coco:p?split=train"), {"split=train", "split=val"});
  expect_mentions(error("coco:p?year=2017"), {"year=2017", "year=2014"});
  expect_mentions(error("coco:p?limit=9"), {"limit", "--num"});
  EXPECT_EQ(protocol_label(protocol, 256, 30'000), "coco30k-val2014");
  EXPECT_EQ(protocol_label(protocol, 32, 500), "coco30k-val2014/size=32/n=500");
}

class ProtocolCommandTest : public FidCommandTest {
 protected:
  void SetUp() override {
    FidCommandTest::SetUp();
    std::string images, notes;
    for (int i = 0; i < 6; ++i) {
      images += fmt::format(R"({}{{"id": {}, "file_name": "{}.png"}})", i > 0 ? "," : "", i, i);
      notes +=
          fmt::format(R"({}{{"image_id": {}, "id": {}, "caption": "a red circle {}"}})", i > 0 ? "," : "", i, i, i);
      write_png(folder_ / fmt::format("coco/val2017/{}.png", i), shapes(6, 16)[i]);
    }
    folder_.put("coco/annotations/captions_val2017.json",
                fmt::format(R"({{"images": [{}], "annotations": [{}]}})", images, notes));
    coco_ = "coco:" + (folder_ / "coco").string() + "?size=16";
    model_ = write_tiny_model(folder_).string();
  }

  std::vector<std::string> fid(std::vector<std::string> more) const {
    std::vector<std::string> all{"fid", model_, coco_, "--protocol", "coco5k-val2017"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  std::string coco_, model_;
};

TEST_F(ProtocolCommandTest, FixesHowAModelDraws) {
  NEEDS_WEIGHTS();
  const auto score = run_json(fid({"--num", "4"}));
  EXPECT_EQ(score["protocol"], "coco5k-val2017/size=16/n=4");
  EXPECT_EQ(score["a"]["images"], 4);
  EXPECT_EQ(score["b"]["images"], 6);  // all real ones
  EXPECT_EQ(score["a"]["sampler"], "dpm-solver++");
  EXPECT_EQ(score["a"]["steps"], 50);
  EXPECT_EQ(score["a"]["guidance"], 2);
  const std::string list = read_file(folder_ / "coco5k-val2017-size=16-n=4.txt", "captions");
  EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 4);
  expect_mentions(list, {"a red circle "});
  for (const std::vector<std::string>& flag :
       {std::vector<std::string>{"--steps", "20"}, {"--sampler", "ddim"}, {"--cfg-scale", "3"}, {"--resize", "clean"}})
    expect_mentions(error_of([&] { run(fid(flag)); }), {flag[0], "contradicts", "coco5k-val2017"});
  EXPECT_EQ(run_json(fid({"--num", "4", "--steps", "50"}))["value"], score["value"]);
}

TEST_F(ProtocolCommandTest, IsNotedAndCompared) {
  NEEDS_WEIGHTS();
  const std::string real = (folder_ / "real.npz").string(), other = (folder_ / "other.npz").string();
  run({"stats", coco_, "--out", real, "--protocol", "coco5k-val2017"});
  EXPECT_NO_THROW(run({"fid", real, real}));
  std::map<std::string, std::string> notes;
  const Gaussian gaussian = read_gaussian(real, &notes);
  EXPECT_EQ(notes["protocol"], "coco5k-val2017/size=16");
  notes["protocol"] = "coco30k-val2014";
  write_gaussian(other, gaussian, notes);
  expect_mentions(error_of([&] { run({"fid", real, other}); }), {real, other, "coco30k-val2014", "--force"});
  EXPECT_NO_THROW(run({"fid", real, other, "--force"}));
  const std::string plain = (folder_ / "plain.npz").string(), foreign = (folder_ / "foreign.npz").string();
  run({"stats", coco_ + "&split=val", "--out", plain});
  expect_mentions(error_of([&] { run({"fid", real, plain}); }), {"plain.npz has none", "--force"});
  expect_mentions(error_of([&] { run({"fid", coco_ + "&split=val", real}); }), {"has none"});
  write_gaussian(foreign, gaussian, {});  // as other programs do
  EXPECT_NO_THROW(run({"fid", real, foreign}));
  expect_mentions(error_of([&] {
                    run({"stats", model_, "--out", other, "--force", "--protocol", "coco5k-val2017"});
                  }),
                  {"captions", "uvic fid"});
  expect_mentions(error_of([&] { run({"fid", real, other, "--protocol", "coco5k-val2017"}); }), {"models and data"});
}

}  // namespace
}  // namespace uvic::protocol_test
