#include "datasets/stream.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/image/image.h"
#include "core/random.h"
#include "datasets/stream_draws.h"

namespace uvic {
namespace {

void check(const Dataset& data, const std::optional<Vocabulary>& vocabulary, const StreamConfig& config) {
  TORCH_CHECK(data.size() > 0, "stream: an empty data set");
  if (config.num_classes > 0) {
    const auto classes = static_cast<int64_t>(data.classes().size());
    if (classes == 0)
      fail("the model is trained on {} classes but the data has none: {}", config.num_classes, data.description());
    if (classes != config.num_classes)
      fail("the model has {} classes but the data has {}: {}", config.num_classes, classes, data.description());
  }
  if (config.context_tokens > 0) {
    TORCH_CHECK(vocabulary, "stream: captions are asked for without a vocabulary");
    for (int64_t i = 0; data.captions(i).empty();)
      if (++i == data.size()) fail("the model is trained on captions but the data has none: {}", data.description());
  }
}

class TrainingStream {
 public:
  TrainingStream(std::shared_ptr<const Dataset> data, std::optional<Vocabulary> vocabulary, const StreamConfig& config)
      : data_(std::move(data)), vocabulary_(std::move(vocabulary)), config_(config) {
    check(*data_, vocabulary_, config_);
  }

  Batch operator()(Items wanted) const {
    const std::vector<StreamItem> items = stream_items(config_, data_->size(), wanted);
    std::vector<int64_t> indices;
    for (const StreamItem& item : items) indices.push_back(item.index);
    Batch batch;
    batch.x = to_float(flipped(data_->images(indices), items));
    if (config_.num_classes > 0) batch.condition.label = labels(items);
    if (config_.context_tokens > 0) batch.condition.context = contexts(items);
    return batch;
  }

 private:
  Tensor flipped(const Tensor& images, const std::vector<StreamItem>& items) const {
    if (!config_.flip) return images;
    Tensor flip = at::empty({std::ssize(items), 1, 1, 1}, at::kBool);
    auto* flags = flip.mutable_data_ptr<bool>();
    for (const auto& [item, index] : items)
      *flags++ = hash_mix({config_.seed, static_cast<uint64_t>(Stream::kFlip), item}) >> 63;
    return at::where(flip, images.flip({3}), images);
  }

  Tensor labels(const std::vector<StreamItem>& items) const {
    Tensor labels = at::empty({std::ssize(items)}, at::kLong);
    auto* ids = labels.mutable_data_ptr<int64_t>();
    for (const auto& [item, index] : items) {
      const int64_t label = data_->label(index);
      *ids++ = label < 0 || is_dropped(config_, item) ? config_.num_classes : label;
    }
    return labels;
  }

  Tensor contexts(const std::vector<StreamItem>& items) const {
    Tensor contexts = at::full({std::ssize(items), config_.context_tokens}, Vocabulary::kPad, at::kLong);
    auto* out = contexts.mutable_data_ptr<int64_t>();
    for (size_t j = 0; j < items.size(); ++j, out += config_.context_tokens) {
      const auto captions = data_->captions(items[j].index);
      if (captions.empty() || is_dropped(config_, items[j].item)) continue;
      const int64_t choice = draw_caption(config_, items[j].item, static_cast<int64_t>(captions.size()));
      std::ranges::copy(vocabulary_->encode(captions[choice], config_.context_tokens).ids, out);
    }
    return contexts;
  }

  std::shared_ptr<const Dataset> data_;
  std::optional<Vocabulary> vocabulary_;
  StreamConfig config_;
};

// One thread that computes one batch at a time. The thread lives as long as the stream, since LibTorch keeps a pool of
// OpenMP workers for every thread that calls it.
class Prefetcher {
 public:
  Prefetcher(BatchAt batch_at, NextItems next)
      : batch_at_(std::move(batch_at)),
        next_(std::move(next)),
        worker_([this](const std::stop_token& stop) { work(stop); }) {}

  Batch at(Items items) {
    std::unique_lock lock(mutex_);
    if (items_ != items) {
      done_.wait(lock, [this] { return !items_ || finished_; });  // a wrong guess: let it end
      post(items);
    }
    done_.wait(lock, [this] { return finished_; });
    const std::exception_ptr error = std::exchange(error_, nullptr);
    Batch batch = std::exchange(batch_, {});
    items_.reset();
    if (error) std::rethrow_exception(error);
    if (const auto next = next_(items)) post(*next);
    return batch;
  }

 private:
  void post(Items items) {
    items_ = items;
    finished_ = false;
    error_ = nullptr;
    wake_.notify_one();
  }

  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (wake_.wait(lock, stop, [this] { return items_ && !finished_; })) {
      const Items items = *items_;
      lock.unlock();
      Batch batch;
      std::exception_ptr error;
      try {
        batch = batch_at_(items);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      batch_ = std::move(batch);
      error_ = error;
      finished_ = true;
      done_.notify_one();
    }
  }

  BatchAt batch_at_;
  NextItems next_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::condition_variable done_;
  std::optional<Items> items_;  // what the worker computes or has computed
  bool finished_ = false;
  Batch batch_;
  std::exception_ptr error_;
  std::jthread worker_;  // last: it stops and joins before what it uses goes
};

}  // namespace

BatchAt make_stream(std::shared_ptr<const Dataset> data, std::optional<Vocabulary> vocabulary,
                    const StreamConfig& config) {
  return TrainingStream(std::move(data), std::move(vocabulary), config);
}

BatchAt prefetch(BatchAt batch_at, NextItems next) {
  auto prefetcher = std::make_shared<Prefetcher>(std::move(batch_at), std::move(next));
  return [prefetcher](Items items) { return prefetcher->at(items); };
}

}  // namespace uvic
