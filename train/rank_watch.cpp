#include "train/rank_watch.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/clock.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "train/addresses.h"

namespace uvic {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBeat{500}, kLook{250}, kSilence{3000};
constexpr milliseconds kPatience{4000};  // with the store
constexpr const char* kVerdict = "verdict";
constexpr const char* kEnded = "ended";

std::string beat_key(int64_t rank) {
  return fmt::format("beat/{}", rank);
}

std::string say_silent(const std::vector<int64_t>& ranks) {
  return fmt::format("{} {} gone or {} not answer: see what was said there last, and whether the machine runs",
                     list_ranks(ranks), ranks.size() == 1 ? "is" : "are", ranks.size() == 1 ? "does" : "do");
}

}  // namespace

struct RankWatch::Shared {
  struct Request {
    Task task;
    bool done = false;
  };

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Request>> requests;
  bool connected = false, stop = false, ended = false, listens = false;
  struct Heard {
    std::string beat;
    Clock::time_point since;
  };
  std::vector<Heard> heard;         // of each rank, while this one listens
  Clock::time_point store_answers;  // when it did last
  std::string lost;                 // what c10d says of the store
  std::string verdict;
  std::atomic<int64_t> exchanges = 0;

  bool is_lost() const { return !lost.empty(); }

  void run(const Place& place, const std::string& prefix, Timeout timeout) {
    try {
      const bool serves = place.rank == 0 && !place.launcher_has_store;
      const RankStore all = serves ? RankStore::serve(place.port, place.host == "localhost" || is_loopback(place.host))
                                   : RankStore::connect(place.host, place.port, timeout);
      const RankStore store = all.with_prefix(prefix);
      std::unique_lock lock(mutex);
      connected = true;
      changed.notify_all();
      for (int64_t beat = 0; !stop; ++beat) {
        lock.unlock();
        store.set(beat_key(place.rank), fmt::format("{} {}", beat, exchanges.load()));
        const auto found = store.find(kVerdict);
        lock.lock();
        if (found) verdict = *found;
        store_answers = Clock::now();
        if (listens) listen(store, place, lock);
        const auto next = Clock::now() + kBeat;
        while (!stop && Clock::now() < next) {
          answer(store, lock);
          changed.wait_until(lock, next, [&] { return stop || !requests.empty(); });
        }
      }
      answer(store, lock);
      lock.unlock();
      store.set(beat_key(place.rank), kEnded);
      if (serves && verdict_given()) std::this_thread::sleep_for(3 * kBeat);  // until all have read it
    } catch (const std::exception& error) {
      std::lock_guard lock(mutex);
      lost = words_of(error);
    }
    std::lock_guard lock(mutex);
    ended = true;
    changed.notify_all();
  }

  void listen(const RankStore& store, const Place& place, std::unique_lock<std::mutex>& lock) {
    for (int64_t rank = 0; rank < place.size; ++rank) {
      lock.unlock();
      const std::string beat = store.find(beat_key(rank)).value_or("");
      lock.lock();
      if (beat != kEnded && beat != heard[rank].beat) heard[rank] = {beat, Clock::now()};
    }
  }

  void answer(const RankStore& store, std::unique_lock<std::mutex>& lock) {
    while (!requests.empty()) {
      const auto request = requests.front();
      requests.pop_front();
      lock.unlock();
      request->task(store);
      lock.lock();
      request->done = true;
      changed.notify_all();
    }
  }

  bool verdict_given() {
    std::lock_guard lock(mutex);
    return !verdict.empty();
  }
};

RankWatch::RankWatch(const Place& place, const std::string& prefix, Timeout timeout)
    : place_(place), shared_(std::make_shared<Shared>()) {
  std::thread([shared = shared_, place, prefix, timeout] { shared->run(place, prefix, timeout); }).detach();
  const auto deadline = Clock::now() + timeout + kPatience;
  std::unique_lock lock(shared_->mutex);
  while (!shared_->connected && !shared_->is_lost() && !interrupted() && Clock::now() < deadline)
    shared_->changed.wait_for(lock, kLook);
  if (shared_->connected) return;
  shared_->stop = true;
  stop_if_interrupted();
  fail("{}: {}", place.name(), shared_->is_lost() ? shared_->lost : "the place where ranks meet does not answer");
}

RankWatch::~RankWatch() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->changed.notify_all();
  if (!shared_->is_lost()) shared_->changed.wait_for(lock, kPatience, [&] { return shared_->ended; });
}

bool RankWatch::ask(Task task) const {
  const auto request = std::make_shared<Shared::Request>(Shared::Request{std::move(task)});
  std::unique_lock lock(shared_->mutex);
  if (shared_->is_lost()) return false;
  shared_->requests.push_back(request);
  shared_->changed.notify_all();
  shared_->changed.wait_for(lock, kPatience, [&] { return request->done || shared_->ended; });
  if (!request->done && !shared_->is_lost()) shared_->lost = "no answer";
  return request->done;
}

void RankWatch::count_exchange() const {
  ++shared_->exchanges;
}

RankWatch::Listening::Listening(const RankWatch& watch) : watch_(watch) {
  std::lock_guard lock(watch.shared_->mutex);
  watch.shared_->heard.assign(watch.place_.size, {"", Clock::now()});
  watch.shared_->store_answers = Clock::now();
  watch.shared_->listens = true;
}

RankWatch::Listening::~Listening() {
  std::lock_guard lock(watch_.shared_->mutex);
  watch_.shared_->listens = false;
}

std::optional<std::string> RankWatch::Listening::silence(Timeout longest) const {
  const auto since = Clock::now() - longest;
  std::lock_guard lock(watch_.shared_->mutex);
  if (watch_.shared_->is_lost() || watch_.shared_->store_answers < since) return watch_.store_is_lost();
  std::vector<int64_t> silent;
  for (int64_t rank = 0; rank < watch_.place_.size; ++rank)
    if (watch_.shared_->heard[rank].since < since) silent.push_back(rank);
  if (silent.empty()) return std::nullopt;
  return say_silent(silent);
}

std::optional<std::string> RankWatch::verdict() const {
  std::lock_guard lock(shared_->mutex);
  return shared_->verdict.empty() ? std::nullopt : std::optional(shared_->verdict);
}

std::string RankWatch::conclude(const std::string& verdict) const {
  const auto agreed = std::make_shared<std::string>();
  ask([agreed, verdict](const RankStore& store) { *agreed = store.set_first(kVerdict, verdict); });
  std::lock_guard lock(shared_->mutex);
  if (shared_->verdict.empty()) shared_->verdict = agreed->empty() ? verdict : *agreed;
  return shared_->verdict;
}

std::string RankWatch::conclude_from(const std::string& failure) const {
  if (const auto known = verdict()) return *known;
  return conclude(look_for_the_dead(failure));
}

std::string RankWatch::store_is_lost() const {
  return fmt::format("{}, which holds what the ranks share at {}:{}, is gone or does not answer: see what it said last",
                     place_.launcher_has_store ? "the launcher" : "rank 0", place_.host, place_.port);
}

std::string RankWatch::look_for_the_dead(const std::string& failure) const {
  using Beats = std::vector<std::string>;
  const auto look = [&]() -> std::optional<Beats> {
    const auto beats = std::make_shared<Beats>(place_.size);
    const bool answered = ask([beats](const RankStore& store) {
      for (size_t rank = 0; rank < beats->size(); ++rank)
        (*beats)[rank] = store.find(beat_key(static_cast<int64_t>(rank))).value_or("");
    });
    return answered ? std::optional(*beats) : std::nullopt;
  };

  const auto first = look();
  if (!first) return store_is_lost();
  Beats last = *first;
  std::vector<int64_t> silent;
  for (const auto begin = Clock::now(); Clock::now() < begin + kSilence;) {
    std::this_thread::sleep_for(kLook);
    if (const auto known = verdict()) return *known;
    const auto beats = look();
    if (!beats) return store_is_lost();
    last = *beats;
    silent.clear();
    for (int64_t rank = 0; rank < place_.size; ++rank)
      if (rank != place_.rank && (last[rank] == kEnded || last[rank] == (*first)[rank])) silent.push_back(rank);
    if (silent.empty()) break;
  }

  std::vector<int64_t> ended, behind;
  for (const int64_t rank : silent)
    if (last[rank] == kEnded) ended.push_back(rank);
  if (!ended.empty())
    return fmt::format("{} ended while others went on: see what was said there last", list_ranks(ended));
  if (!silent.empty()) return say_silent(silent);
  const int64_t mine = shared_->exchanges;
  for (int64_t rank = 0; rank < place_.size; ++rank)
    if (rank != place_.rank && std::stoll(last[rank].substr(last[rank].find(' ') + 1)) < mine) behind.push_back(rank);
  if (!behind.empty())
    return fmt::format(
        "{} {} at work but did not come to what the ranks do together within the time-out: give a longer "
        "one, or see what takes so long there",
        list_ranks(behind), behind.size() == 1 ? "is" : "are");
  return fmt::format("the connection between ranks failed, although all of them are at work ({})", failure);
}

std::string list_ranks(const std::vector<int64_t>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (size_t i = 0; i < ranks.size(); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : i + 1 == ranks.size() ? " and " : ", ", ranks[i]);
  return text;
}

}  // namespace uvic
