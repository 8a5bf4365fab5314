#include "datasets/latent_cache.h"

#include <gtest/gtest.h>

#include "tests/temporary.h"

namespace uvic::latent_cache_test {
namespace {

// Two images with three captions in one shard.
class LatentCacheTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_safetensors(null_context_file(folder_.path()), {{{"context", at::zeros({3, 4})}}, {}});
    put_shard({{"captions", R"([["one", "two"], ["caf\u00e9"]])"}});
    write_latent_index(folder_.path(), {.data = "folder:x",
                                        .captions = "c",
                                        .autoencoder = "a",
                                        .text = "t",
                                        .scale = 0.5,
                                        .images = 2,
                                        .shard_images = 2,
                                        .shards = {"s"}});
  }
  void put_shard(const std::map<std::string, std::string>& metadata) const {
    write_safetensors(latent_shard_file(folder_.path(), 0),
                      {{{"moments", at::zeros({2, 8, 4, 4})}, {"contexts", at::zeros({3, 3, 4})}}, metadata});
  }
  std::string error() const {
    return error_of([&] { open_latent_cache(folder_.path(), 0); });
  }

  TemporaryFolder folder_;
};

TEST_F(LatentCacheTest, IsReadBack) {
  const auto data = open_latent_cache(folder_.path(), 0);
  EXPECT_EQ(data->size(), 2);
  EXPECT_EQ(data->captions(0), (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(data->captions(1), std::vector<std::string>{"caf\xC3\xA9"});
  EXPECT_EQ(data->scale(), 0.5);
}

TEST_F(LatentCacheTest, NamesWhatIsWrongWithItsIndex) {
  const std::string good = read_file(folder_ / "index.json", "index");
  const std::pair<std::string, std::string> changes[] = {
      {"\"images\": 2", "\"images\": 1e300"},
      {"\"images\": 2", "\"images\": -2"},
      {"\"images\": 2", "\"images\": \"2\""},
      {"\"images\": 2", "\"images\": 9223372036854775807"},
      {"\"shard_images\": 2", "\"shard_images\": 0"},
      {"\"data\": \"folder:x\"", "\"data\": 7"},
      {"\"scale\": 0.5", "\"scale\": \"x\""},
      {"\"sha256\": \"s\"", "\"sha256\": null"},
      {"\"shards\": [", "\"other\": ["},
      {"\"format\": \"", "\"format\": \"x"},
  };
  for (const auto& [from, to] : changes) {
    std::string text = good;
    ASSERT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), from.size(), to);
    folder_.put("index.json", text);
    const std::string message = error();
    expect_mentions(message, {"index.json"});
    EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
  }
  folder_.put("index.json", std::string(1'000'000, '['));
  expect_mentions(error(), {"index.json", "64 levels"});
}

TEST_F(LatentCacheTest, NamesTheShardWithDamagedCaptions) {
  for (const std::string& captions : {std::string("7"), std::string("[7]"), std::string("[[7]]"),
                                      std::string("[\"a\"]"), std::string("[[\"a\""), std::string(1'000'000, '[')}) {
    put_shard({{"captions", captions}});
    const std::string message = error();
    expect_mentions(message, {"00000.safetensors", "captions"});
    EXPECT_EQ(message.find("json.exception"), std::string::npos) << message;
  }
  put_shard({});
  expect_mentions(error(), {"00000.safetensors", "no captions"});
}

TEST_F(LatentCacheTest, PartsOfSeveralProcessesBecomeAnIndex) {
  const fs::path folder = folder_.path();
  const auto index = [&](std::vector<std::string> shards) {
    LatentIndex all = read_latent_index(folder);
    all.images = 9;
    all.shards = std::move(shards);
    write_latent_index(folder, all);
  };
  index({"s0"});
  write_latent_part(folder, {1, 3}, {{2, "s2"}, {3, "s3"}});
  write_latent_part(folder, {2, 3}, {{4, "s4"}});
  EXPECT_EQ(known_latent_shards(folder), (LatentShards{{0, "s0"}, {2, "s2"}, {3, "s3"}, {4, "s4"}}));
  EXPECT_FALSE(finish_latent_index(folder));
  EXPECT_EQ(read_latent_index(folder).shards, std::vector<std::string>{"s0"});

  // What two name differently nobody knows.
  write_latent_part(folder, {0, 2}, {{0, "other"}, {1, "s1"}, {2, "s2"}});
  EXPECT_EQ(known_latent_shards(folder), (LatentShards{{1, "s1"}, {2, "s2"}, {3, "s3"}, {4, "s4"}}));
  EXPECT_FALSE(finish_latent_index(folder));
  write_latent_part(folder, {0, 2}, {{0, "s0"}, {1, "s1"}, {2, "s2"}});
  EXPECT_TRUE(finish_latent_index(folder));
  EXPECT_EQ(read_latent_index(folder).shards, (std::vector<std::string>{"s0", "s1", "s2", "s3", "s4"}));
  EXPECT_FALSE(fs::exists(folder / "part-1-of-3.json"));
  EXPECT_TRUE(finish_latent_index(folder));  // by whoever comes after

  folder_.put("part-0-of-2.json", R"({"shards": [{"shard": -1, "sha256": "s"}]})");
  expect_mentions(error_of([&] { known_latent_shards(folder); }), {"part-0-of-2.json", "shard"});
  folder_.put("part-0-of-2.json", R"({"shards": 1})");
  expect_mentions(error_of([&] { known_latent_shards(folder); }), {"part-0-of-2.json", "no list of \"shards\""});
}

}  // namespace
}  // namespace uvic::latent_cache_test
