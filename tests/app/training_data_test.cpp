#include "app/training/training_data.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "core/files.h"
#include "core/image/image.h"
#include "datasets/latent_cache.h"
#include "encoders/fingerprint.h"
#include "tests/temporary.h"

namespace uvic::training_data_test {
namespace {

const std::string kShapes = "shapes?size=16&limit=32";

class TrainingDataTest : public ::testing::Test {
 protected:
  RunConfig config(const std::string& spec, const std::string& condition) const {
    RunConfig config;
    config.model.size = "nano";
    config.model.image_size = 16;
    config.model.patch = 4;
    config.model.context_tokens = 12;
    config.data.spec = spec;
    config.data.condition = condition;
    config.data.drop_condition = 0;
    config.train.seed = 3;
    return config;
  }

  // Black cats and white dogs, without captions.
  std::string classes() const {
    for (int64_t i = 0; i < 3; ++i) {
      folder_.put(fmt::format("classes/cat/{}.png", i), encode_png(at::zeros({16, 16, 3}, at::kByte)));
      folder_.put(fmt::format("classes/dog/{}.png", i), encode_png(at::full({16, 16, 3}, 255, at::kByte)));
    }
    return "folder:" + (folder_ / "classes").string();
  }

  // Image i has mean i and next to no variance; its captions are the states 10 i and 10 i + 1, but image 1 has none.
  std::string latents(std::optional<double> scale = 0.5) const {
    const fs::path cache = folder_ / "latents";
    fs::create_directories(cache);
    write_safetensors(null_context_file(cache), {{{"context", at::full({3, 5}, -1, at::kFloat)}}, {}});
    const Tensor mean = at::arange(2, at::kFloat).view({2, 1, 1, 1}).expand({2, 4, 16, 16});
    write_latent_shard(latent_shard_file(cache, 0),
                       {.moments = at::cat({mean, at::full(mean.sizes(), -30.0)}, 1),
                        .contexts = at::tensor({0.0F, 1.0F}).view({2, 1, 1}).expand({2, 3, 5}).contiguous(),
                        .captions = {{"a bus", "a red bus"}, {}}});
    write_latent_index(cache, {.data = "folder:x",
                               .captions = "c",
                               .autoencoder = "a",
                               .text = "t",
                               .scale = scale,
                               .images = 2,
                               .shard_images = 2,
                               .shards = {"s"}});
    return "latents:" + cache.string();
  }

  RunConfig latent_config(const std::string& condition, std::optional<double> scale = 0.5) const {
    RunConfig c = config(latents(scale), condition);
    c.model.channels = 4;
    c.model.context_tokens = 3;
    c.model.context_dim = 5;
    return c;
  }

  const std::string bert_ = (fs::path(UVIC_TEST_DATA) / "bert").string();
  const TemporaryFolder folder_;
};

TEST_F(TrainingDataTest, NoneGivesPicturesAlone) {
  RunConfig c = config(kShapes, "none");
  const TrainingData data = open_training_data(c);
  const Batch batch = data.source.batch_at({12, 4});
  EXPECT_TRUE(at::equal(batch.x, make_stream(open_dataset(kShapes), {}, {.seed = 3})({12, 4}).x));
  EXPECT_FALSE(batch.condition.label.defined() || batch.condition.context.defined());
  EXPECT_EQ(c.model.classes + c.model.context_tokens + c.model.vocabulary, 0);
  EXPECT_TRUE(data.source.classes.empty() && !data.source.vocabulary && data.source.text_encoder.empty());
  EXPECT_FALSE(data.source.request(1).label);
  EXPECT_EQ(data.source.request(1).prompt, "");
  EXPECT_EQ(c.output.name, "shapes-uvic-nano");
  EXPECT_FALSE(data.scorer);
}

TEST_F(TrainingDataTest, ClassGivesTheClassOfEveryPicture) {
  RunConfig c = config(classes(), "class");
  c.output.grid = 3;
  const TrainingSource source = open_training_data(c).source;
  EXPECT_EQ(c.model.classes, 2);
  EXPECT_EQ(c.model.context_tokens, 0);
  EXPECT_EQ(source.classes, (std::vector<std::string>{"cat", "dog"}));
  int64_t dogs = 0;
  for (int64_t k = 0; k < 3; ++k) {  // two epochs
    const Batch batch = source.batch_at({4 * k, 4});
    EXPECT_TRUE(at::equal(batch.condition.label, (batch.x.select(1, 0).select(1, 0).select(1, 0) > 0).to(at::kLong)));
    dogs += batch.condition.label.sum().item<int64_t>();
  }
  EXPECT_EQ(dogs, 6);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 6; ++i) labels.push_back(source.request(i).label.value_or(-1));
  EXPECT_EQ(labels, (std::vector<int64_t>{0, 1, 0, 0, 1, 0}));  // three columns
}

TEST_F(TrainingDataTest, WordsGivesCaptionsInTheDatasOwnWords) {
  RunConfig c = config(kShapes, "text");
  const TrainingSource source = open_training_data(c).source;
  ASSERT_TRUE(source.vocabulary);
  EXPECT_EQ(c.model.vocabulary, source.vocabulary->size());
  const auto images = open_dataset(kShapes);
  const Batch batch = source.batch_at({4, 4});
  ASSERT_EQ(batch.condition.context.sizes(), (at::IntArrayRef{4, 12}));
  for (int64_t j = 0; j < 4; ++j) {
    bool found = false;
    for (int64_t i = 0; i < images->size(); ++i) {
      if (!at::equal(to_float(images->images({&i, 1}))[0], batch.x[j])) continue;
      for (const std::string& caption : images->captions(i))
        found |= at::equal(batch.condition.context[j], at::tensor(source.vocabulary->encode(caption, 12).ids));
    }
    EXPECT_TRUE(found) << j;
  }
  EXPECT_EQ(source.request(33).prompt, images->captions(1).front());
}

TEST_F(TrainingDataTest, StatesGivesCaptionsAsTheTextEncoderReadsThem) {
  RunConfig c = config(kShapes, "text");
  c.data.text_encoder = bert_;
  c.model.context_dim = 16;
  const TrainingSource source = open_training_data(c).source;
  EXPECT_EQ(c.model.vocabulary, 0);
  EXPECT_FALSE(source.vocabulary);
  EXPECT_EQ(source.text_encoder, fingerprint(*load_text_encoder(bert_)));
  const Batch batch = source.batch_at({4, 4});
  EXPECT_EQ(batch.condition.context.sizes(), (at::IntArrayRef{4, 12, 16}));
  EXPECT_EQ(batch.condition.context.scalar_type(), at::kFloat);
  EXPECT_EQ(source.request(33).prompt, open_dataset(kShapes)->captions(1).front());
}

TEST_F(TrainingDataTest, LatentsComeScaledAndWithTheirStates) {
  RunConfig c = latent_config("text");
  const TrainingSource source = open_training_data(c).source;
  EXPECT_EQ(c.data.latent_scale, 0.5);
  const Batch batch = source.batch_at({0, 4});
  ASSERT_EQ(batch.x.sizes(), (at::IntArrayRef{4, 4, 16, 16}));
  for (int64_t j = 0; j < 4; ++j) {
    const bool second = batch.x[j].mean().item<double>() > 0.25;
    EXPECT_TRUE(at::allclose(batch.x[j], at::full(batch.x[j].sizes(), second ? 0.5 : 0.0), 0, 1e-4));
    EXPECT_EQ(batch.condition.context[j].max().item<double>() < 0, second);  // no caption: that of the empty prompt
  }
  const Request first = source.request(2), none = source.request(3);
  EXPECT_EQ(first.prompt, "a bus");
  EXPECT_TRUE(at::equal(first.context, at::zeros({3, 5})));
  EXPECT_EQ(none.prompt, "");
  EXPECT_TRUE(at::equal(none.context, none.negative_context));
}

TEST_F(TrainingDataTest, LatentsWithoutTextGiveNone) {
  RunConfig c = latent_config("none", std::nullopt);
  c.data.latent_scale = 0.25;
  const TrainingSource source = open_training_data(c).source;
  EXPECT_EQ(c.model.context_tokens, 0);
  const Batch batch = source.batch_at({0, 4});
  EXPECT_NEAR(batch.x.max().item<double>(), 0.25, 1e-4);
  EXPECT_FALSE(batch.condition.context.defined());
  EXPECT_FALSE(source.request(0).context.defined());
}

// SHA-256 of all that a step sees: of its items, whichever rank takes them, the picture as it is flipped and the
// caption as it is drawn or dropped.
TEST_F(TrainingDataTest, MoreRanksChangeNoStep) {
  RunConfig c = config(kShapes, "text");
  c.data.flip = true;
  c.data.drop_condition = 0.2;
  c.train.steps = 5;  // 70 items: more than two epochs
  c.train.batch = 7;
  c.train.accumulate = 2;
  const TrainingSource source = open_training_data(c).source;
  const auto digests = [&](int64_t ranks, int64_t micro_batch) {
    TrainConfig train = c.train;
    train.micro_batch = micro_batch;
    std::vector<std::map<int64_t, std::string>> steps(train.steps);
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const Share share{rank, ranks};
      const BatchAt batch_at =
          prefetch(source.batch_at, std::bind_front(next_micro_batch, train, share));  // as runs do
      for (int64_t step = 0; step < train.steps; ++step)
        for (const Items& items : micro_batches(train, step, share)) {
          const Batch batch = batch_at(items);
          EXPECT_EQ(batch.x.size(0), items.count);
          for (int64_t j = 0; j < items.count; ++j) {
            std::string bytes;
            for (const Tensor& part : {batch.x[j].contiguous(), batch.condition.context[j].contiguous()})
              bytes.append(static_cast<const char*>(part.const_data_ptr()), part.nbytes());
            EXPECT_TRUE(steps[step].emplace(items.first + j, bytes).second) << "twice: item " << items.first + j;
          }
        }
    }
    std::vector<std::string> all;
    for (const auto& items : steps) {
      std::string text;
      for (const auto& [item, bytes] : items) text += fmt::format("{} {}\n", item, bytes);
      all.push_back(sha256_of_bytes(text));
    }
    return all;
  };
  const std::vector<std::string> alone = digests(1, 0);
  EXPECT_EQ(std::set<std::string>(alone.begin(), alone.end()).size(), 5u);
  for (const auto& [ranks, micro_batch] : {std::pair(2, 0), {3, 0}, {7, 0}, {1, 2}, {2, 3}})
    EXPECT_EQ(digests(ranks, micro_batch), alone) << ranks << " ranks, micro-batches of " << micro_batch;
}

TEST_F(TrainingDataTest, EveryRowIsTheKindOfSomeData) {
  const auto shapes = open_dataset(kShapes), cache = open_dataset(latents());
  std::vector<std::string> kinds, rows;
  for (const char* condition : {"none", "class", "text"})
    kinds.push_back(source_kind({.condition = condition}, *shapes));
  kinds.push_back(source_kind({.condition = "text", .text_encoder = bert_}, *shapes));
  kinds.push_back(source_kind({.condition = "text"}, *cache));
  for (const auto& row : training_sources()) rows.emplace_back(row.name);
  EXPECT_EQ(kinds, rows);
  EXPECT_EQ(source_kind({.condition = "none"}, *cache), "latents");
}

TEST_F(TrainingDataTest, PromptsTakeThePlaceOfCaptionsInGrids) {
  RunConfig c = config(kShapes, "text");
  c.output.prompts = folder_.put("prompts.txt", "one\ntwo\n").string();
  const TrainingSource source = open_training_data(c).source;
  EXPECT_EQ(source.request(0).prompt, "one");
  EXPECT_EQ(source.request(3).prompt, "two");
}

TEST_F(TrainingDataTest, RefusesWhatDoesNotGoTogether) {
  const auto refused = [](RunConfig config, const std::function<void(RunConfig&)>& change,
                          std::initializer_list<std::string_view> says) {
    change(config);
    expect_mentions(error_of([&] { open_training_data(config); }), says);
  };
  const RunConfig pictures = config(kShapes, "text"), of_classes = config(classes(), "none");
  refused(pictures, [](auto& c) { c.model.image_size = 32; }, {"16 pixels wide, the model takes 32"});
  refused(pictures, [](auto& c) { c.model.channels = 4; }, {"model.channels = 4: images have 3 channels"});
  refused(pictures, [](auto& c) { c.data.latent_scale = 0.2; }, {"data.latent_scale = 0.2", "holds pictures"});
  refused(pictures, [](auto& c) { c.output.autoencoder = "x"; }, {"output.autoencoder", "holds pictures"});
  refused(pictures, [](auto& c) { c.output.text = "x"; }, {"output.text is for latents"});
  refused(pictures, [](auto& c) { c.data.condition = "class"; }, {"is class, but the data has no classes: procedural"});
  refused(pictures, [](auto& c) { c.model.context_tokens = 0; }, {"is text, but model.context_tokens is 0"});
  refused(pictures, [](auto& c) { c.objective.snr_gamma = 0, c.objective.weighting = "min-snr"; }, {"snr_gamma is 0"});
  refused(of_classes, [](auto& c) { c.data.condition = "text"; }, {"is text, but the data has no captions: folder"});
  for (const char* condition : {"none", "class"})
    refused(of_classes, [&](auto& c) { c.output.prompts = "x", c.data.condition = condition; },
            {"output.prompts: the model reads no text, since data.condition is", condition});

  const RunConfig of_latents = latent_config("text");
  refused(of_latents, [](auto& c) { c.model.channels = 3; }, {"4 channels, the model takes 3", "--model.channels 4"});
  refused(of_latents, [](auto& c) { c.model.context_tokens = 4; }, {"3 states of width 5, the model takes 4"});
  refused(of_latents, [](auto& c) { c.data.condition = "class"; }, {"is class, but latents have none"});
  refused(of_latents, [](auto& c) { c.data.text_encoder = "x"; }, {"data.text_encoder", "are states already"});
  refused(of_latents, [](auto& c) { c.data.flip = true; }, {"data.flip"});
  refused(of_latents, [](auto& c) { c.eval.every = 1; }, {"eval.every: latents have no pixels"});
  refused(of_latents, [](auto& c) { c.output.text = "x"; }, {"output.prompts and output.text go together"});
  refused(latent_config("text", std::nullopt), [](auto&) {}, {"scale of the latents is unknown"});
}

}  // namespace
}  // namespace uvic::training_data_test
