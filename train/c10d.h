// What uvic uses of LibTorch's c10d: a store of keys that ranks share, and sums over them. One source file includes its
// headers, which are long and need macros. What fails throws what c10d throws, std::exception.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include "core/tensor.h"

namespace uvic {

// What c10d says of an error, in one line.
std::string words_of(const std::exception& error);

// A connection to the store; one thread at a time. No call but the first has a limit of time: a server that is stopped
// makes them wait.
class RankStore {
 public:
  using Timeout = std::chrono::milliseconds;

  // This process is the server, at a port of every address of this machine or of the loopback alone; 0: a free one.
  // Error naming the port if it is in use.
  static RankStore serve(uint16_t port, bool loopback_alone);
  // Error naming the host if nobody answers there within the time-out.
  static RankStore connect(const std::string& host, uint16_t port, Timeout timeout);

  uint16_t port() const;
  RankStore with_prefix(const std::string& prefix) const;
  void set(const std::string& key, const std::string& value) const;
  std::optional<std::string> find(const std::string& key) const;
  // The first value that any rank gives is the one that all of them get back.
  std::string set_first(const std::string& key, const std::string& value) const;

 private:
  friend class RankGroup;
  struct State;
  explicit RankStore(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// A sum or broadcast under way. It keeps its tensor alive.
class Exchange {
 public:
  bool is_done() const;
  void wait() const;  // throws if it failed

 private:
  friend class RankGroup;
  struct State;
  explicit Exchange(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

// Connections of every rank to every other.
class RankGroup {
 public:
  struct Config {
    int64_t rank, size;
    std::string address;    // of this machine, where others reach it
    std::string interface;  // instead, if not empty
    RankStore::Timeout timeout;
  };
  // Throws if the others do not do the same within the time-out.
  RankGroup(const RankStore& store, const Config& config);
  ~RankGroup();
  RankGroup(const RankGroup&) = delete;
  RankGroup& operator=(const RankGroup&) = delete;

  // In place, of a contiguous tensor. Each fails when a rank that it waits for has gone, or after the time-out.
  Exchange start_sum(const Tensor& tensor, RankStore::Timeout timeout);
  Exchange start_broadcast(const Tensor& tensor, int64_t root, RankStore::Timeout timeout);
  // Ends it: who waits for this rank fails soon. What this rank has under way goes on until its time-out, unseen, or
  // until the process ends.
  void abort();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace uvic
