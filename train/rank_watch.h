// Tells the other ranks that this one is alive, and finds out which of them are not.
//
// A thread of its own holds the connection to the store where ranks meet, and writes there twice a second. As a store
// that is stopped makes its callers wait for ever, all others ask that thread and wait as long as they like.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "train/c10d.h"
#include "train/place.h"

namespace uvic {

class RankWatch {
 public:
  using Timeout = RankStore::Timeout;

  // Error if the meeting cannot be opened (rank 0) or reached within the time-out. The prefix is of the keys in the
  // store.
  RankWatch(const Place& place, const std::string& prefix, Timeout timeout);
  ~RankWatch();
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;

  // Runs the task on the store. False if the store does not answer within a few seconds, or is lost.
  using Task = std::function<void(const RankStore& store)>;
  bool ask(Task task) const;

  // This rank takes part in one exchange more than before: who has taken part in fewest is whom the others wait for.
  void count_exchange() const;

  // Listens to the other ranks as long as it lives, for a wait that has no other limit.
  class Listening {
   public:
    explicit Listening(const RankWatch& watch);
    ~Listening();
    Listening(const Listening&) = delete;
    Listening& operator=(const Listening&) = delete;
    // What is wrong if a rank, or the store, was silent for that long; nothing otherwise.
    std::optional<std::string> silence(Timeout longest) const;

   private:
    const RankWatch& watch_;
  };

  // Why the ranks part, as one of them found out first; nothing as long as they do not.
  std::optional<std::string> verdict() const;
  // The verdict from now on, unless there is one already; returns what it is.
  std::string conclude(const std::string& verdict) const;
  // The verdict after an exchange that failed with those words: looks for the rank at fault, which takes some seconds.
  std::string conclude_from(const std::string& failure) const;

 private:
  struct Shared;
  std::string look_for_the_dead(const std::string& failure) const;
  std::string store_is_lost() const;

  Place place_;
  std::shared_ptr<Shared> shared_;  // also by the thread, which may wait for the store longer than this object lives
};

// "rank 1", "ranks 1, 2 and 5"
std::string list_ranks(const std::vector<int64_t>& ranks);

}  // namespace uvic
