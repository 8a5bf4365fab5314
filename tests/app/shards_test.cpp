// Shards of `uvic stats`, and the parts of images that they are of.
#include "app/score/shards.h"

#include "core/formats/npz.h"
#include "eval/feats.h"
#include "eval/stats_shard.h"
#include "tests/app/fid_command.h"

namespace uvic::shards_test {
namespace {

using Notes = std::map<std::string, std::string>;
using Batches = std::vector<std::vector<int64_t>>;

Notes notes_of_part(const std::string& shard) {
  return {{"shard", shard}, {"source", "photos"}, {"settings", ""},
          {"count", "9"},   {"images", "abc"},    {"weights", "w"}};
}

class Shards : public testing::Test {
 protected:
  // Rows [begin, end) of the features, in batches of so many.
  std::string put(const std::string& name, const Notes& notes, int64_t begin, const std::vector<int64_t>& batches) {
    int64_t rows = 0;
    for (const int64_t batch : batches) rows += batch;
    write_stats_shard(folder_ / name, {features_.narrow(0, begin, rows), at::tensor(batches, at::kLong), notes});
    return (folder_ / name).string();
  }
  std::string shard(const std::string& name, int64_t begin, const std::vector<int64_t>& batches) {
    return put(name, notes_of_part(name), begin, batches);
  }
  std::string refusal(const std::vector<std::string>& files) const {
    return error_of([&] { merge_shards(files, folder_ / "none.npz"); });
  }
  std::string bytes(const std::string& name) const { return read_file(folder_ / name, "file"); }

  const TemporaryFolder folder_;
  const Tensor features_ = at::randn({9, 5}, at::detail::createCPUGenerator(1), at::kFloat);
};

TEST_F(Shards, GiveTheBitsOfOneProcess) {
  FeatureStats stats;
  for (const auto& [begin, length] : {std::pair(0, 3), {3, 3}, {6, 3}}) stats.add(features_.narrow(0, begin, length));
  write_gaussian(folder_ / "whole.npz", stats.fit(), {{"source", "photos (9 images)"}, {"weights", "w"}});

  const Merged two = merge_shards({shard("1/2", 6, {3}), shard("0/2", 0, {3, 3})}, folder_ / "two.npz");
  EXPECT_EQ(two.images, 9);
  EXPECT_EQ(two.dims, 5);
  EXPECT_EQ(two.notes, (Notes{{"source", "photos (9 images)"}, {"weights", "w"}}));
  EXPECT_EQ(bytes("two.npz"), bytes("whole.npz"));
  merge_shards({shard("2/4", 3, {3, 3}), shard("0/4", 0, {}), shard("3/4", 9, {}), shard("1/4", 0, {3})},
               folder_ / "four.npz");
  EXPECT_EQ(bytes("four.npz"), bytes("whole.npz"));
  // Other batches are other roundings: that they are kept is what makes the bits.
  merge_shards({shard("0/1", 0, {9})}, folder_ / "one.npz");
  EXPECT_NE(bytes("one.npz"), bytes("whole.npz"));
}

TEST_F(Shards, OfFeaturesKeepTheFirstOfEqualImages) {
  const auto feats = [&](const std::string& name, const std::string& shard, const Activations& rows,
                         const std::vector<int64_t>& keys, const std::vector<int64_t>& places) {
    write_feats(folder_ / name,
                {rows, at::tensor(keys, at::kLong), at::tensor(places, at::kLong), notes_of_part(shard)});
    return (folder_ / name).string();
  };
  const auto rows = [&](std::initializer_list<int64_t> which) {
    return Activations{features_.index_select(0, at::tensor(which, at::kLong)), {}, {}};
  };
  // In an archive images come in another order than that of their places; those of key 7 are equal.
  const std::string a = feats("a.feats", "0/3", rows({0, 1}), {7, 8}, {2, 5}),
                    b = feats("b.feats", "1/3", rows({2, 3}), {9, 7}, {0, 4}), c = feats("c.feats", "2/3", {}, {}, {});
  write_feats(folder_ / "whole.feats",
              {rows({2, 0, 0, 1}), at::tensor({9, 7, 7, 8}, at::kLong), {}, {{"source", "photos"}, {"weights", "w"}}});
  const Merged merged = merge_shards({c, b, a}, folder_ / "merged.feats");
  EXPECT_EQ(merged.images, 4);
  EXPECT_EQ(bytes("merged.feats"), bytes("whole.feats"));

  Notes unfinished = notes_of_part("2/3");
  unfinished["unfinished"] = "1 of 3 images";
  write_feats(folder_ / "c.feats", {rows({5}), at::tensor({1}, at::kLong), {}, unfinished});
  expect_mentions(error_of([&] { merge_shards({a, b, c}, folder_ / "no.feats"); }), {"c.feats", "1 of 3 images"});
  expect_mentions(
      error_of([&] { merge_shards({feats("one.feats", "0/1", rows({0}), {7}, {2})}, folder_ / "no.feats"); }),
      {"one.feats", "1 image", "2"});
  write_feats(folder_ / "c.feats", {rows({5}), at::tensor({1}, at::kLong), {}, notes_of_part("2/3")});
  expect_mentions(error_of([&] { merge_shards({a, b, c}, folder_ / "no.feats"); }), {"c.feats", "places"});
}

TEST_F(Shards, ThatDoNotBelongTogetherAreNamed) {
  const std::string a = put("a", notes_of_part("0/3"), 0, {3}), b = put("b", notes_of_part("1/3"), 3, {3}),
                    c = put("c", notes_of_part("2/3"), 6, {3});
  expect_mentions(refusal({c, a}), {"shard 1/3 is missing", a, "3 shards"});
  expect_mentions(refusal({b}), {"shard 0/3, 2/3 is missing", b});
  expect_mentions(refusal({a, b, a, c}), {a + " is shard 0/3, and so is " + a});
  expect_mentions(refusal({a, b, put("d", notes_of_part("2/4"), 6, {3})}), {"d is shard 2/4", a + " one of 3"});
  for (const char* name : {"source", "settings", "count", "images", "weights"}) {
    Notes notes = notes_of_part("2/3");
    notes[name] = "another";
    expect_mentions(refusal({a, b, put("d", notes, 6, {3})}), {"d does not go with " + a, name, "'another'"});
  }
  Notes less = notes_of_part("2/3"), strange = less;
  less.erase("weights");
  strange["shard"] = "3/3";
  expect_mentions(refusal({a, b, put("d", less, 6, {3})}), {"d does not go with", "weights", "'w'"});
  expect_mentions(refusal({a, b, put("d", strange, 6, {3})}), {"d is no shard"});
  write_gaussian(folder_ / "whole.npz", {at::zeros({2}, at::kDouble), at::eye(2, at::kDouble), 0});
  expect_mentions(refusal({(folder_ / "whole.npz").string()}), {"whole.npz is no shard", "uvic stats --shard"});
  EXPECT_FALSE(fs::exists(folder_ / "none.npz"));
  expect_mentions(error_of([&] { read_gaussian(a); }), {a + " is shard 0/3", "uvic stats merge"});
}

TEST_F(Shards, ThatAreDamagedAreNamed) {
  const auto error = [&](const TensorMap& arrays) {
    TensorMap all = arrays;
    all["note_shard"] = at::tensor({'0', '/', '1'}, at::kByte);
    write_npz(folder_ / "x.npz", all);
    return error_of([&] { read_stats_shard(folder_ / "x.npz"); });
  };
  const Tensor batches = at::tensor({4, 5}, at::kLong);
  expect_mentions(error({{"batches", batches}}), {"x.npz", "'features'"});
  expect_mentions(error({{"features", features_}}), {"x.npz", "'batches'"});
  expect_mentions(error({{"features", features_}, {"batches", batches + 1}}), {"x.npz is damaged", "9 rows"});
  expect_mentions(error({{"features", features_}, {"batches", at::tensor({-1, 10}, at::kLong)}}), {"x.npz is damaged"});
  expect_mentions(error({{"features", features_ / 0}, {"batches", batches}}), {"x.npz", "non-finite"});
}

Batches batches_of(const ImageSource& source, const Stretch& part) {
  Batches all;
  const auto reader = source.open(source.size(), part);
  while (const auto images = reader->next({})) {
    all.emplace_back();
    for (const SourceImage& image : *images) all.back().push_back(image.index);
  }
  EXPECT_EQ(reader->done(), part.size());
  return all;
}

// What parts read is what one reader does, batch for batch.
void expect_same_batches(const ImageSource& source) {
  const int64_t block = source.block(), count = source.size(), blocks = (count + block - 1) / block;
  const Batches whole = batches_of(source, {0, count});
  for (const int64_t size : {2, 3, 5}) {
    Batches parts;
    for (int64_t rank = 0; rank < size; ++rank) {
      const Stretch some = Share{rank, size}.of(blocks);
      const Batches part = batches_of(source, {some.begin * block, std::min(some.end * block, count)});
      parts.insert(parts.end(), part.begin(), part.end());
    }
    EXPECT_EQ(parts, whole);
  }
}

TEST_F(Shards, AreWholeBatches) {
  for (int i = 0; i < 150; ++i) folder_.put(fmt::format("files/{:03}.png", i), std::to_string(i));
  // So large that it ends its batch; the next block begins at 64 all the same.
  fs::resize_file(folder_ / "files/003.png", (size_t{64} << 20) + 1);
  const auto files = file_images(FileTree(folder_ / "files"));
  const Batches batches = batches_of(*files, {0, 150});
  ASSERT_EQ(batches.size(), 4);
  EXPECT_EQ(batches[1].front(), 4);
  EXPECT_EQ(batches[2].front(), 64);
  expect_same_batches(*files);

  fs::resize_file(folder_ / "files/003.png", 1);
  ASSERT_EQ(
      std::system(fmt::format("cd {} && ls -r | tar -cf ../files.tar -T -", (folder_ / "files").string()).c_str()), 0);
  const auto archive = file_images(FileTree(folder_ / "files.tar"));
  EXPECT_EQ(batches_of(*archive, {64, 128}).front().front(), 85);  // in its own order
  expect_same_batches(*archive);

  const auto data = dataset_images(open_dataset("shapes?size=8&count=150"));
  EXPECT_EQ(batches_of(*data, {128, 150}).front().front(), 128);
  expect_same_batches(*data);
  EXPECT_NE(data->fingerprint(), dataset_images(open_dataset("shapes?size=8&count=151"))->fingerprint());
  EXPECT_NE(files->fingerprint(), data->fingerprint());
}

TEST_F(Shards, OfAModelAreWholeBatchesOfIt) {
  const Model model = load_model(write_tiny_model(folder_), at::kCPU);
  GenerateOptions how{.settings = model.card.config.sample, .batch = 3};
  const auto conditions = open_dataset("shapes?count=4");
  const auto images = model_images(model, conditions, how);
  const auto read = [&](const Stretch& part) {
    std::vector<std::pair<int64_t, Tensor>> all;
    const auto reader = images->open(8, part);
    while (const auto some = reader->next({}))
      for (const SourceImage& image : *some) all.emplace_back(image.index, image.pixels);
    return all;
  };
  const auto whole = read({0, 8}), part = read({3, 8});
  ASSERT_EQ(part.size(), 5);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(part[i].first, whole[i + 3].first);
    EXPECT_TRUE(part[i].second.equal(whole[i + 3].second));
  }
  how.batch = 4;
  EXPECT_NE(model_images(model, conditions, how)->fingerprint(), images->fingerprint());
  how.batch = 3;
  EXPECT_EQ(model_images(model, conditions, how)->fingerprint(), images->fingerprint());
  how.settings.cfg_scale = 3;
  EXPECT_NE(model_images(model, conditions, how)->fingerprint(), images->fingerprint());
}

}  // namespace
}  // namespace uvic::shards_test
