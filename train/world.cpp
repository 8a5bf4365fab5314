#include "train/world.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <sstream>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/error.h"
#include "core/interrupt.h"
#include "core/progress.h"
#include "train/addresses.h"
#include "train/rank_watch.h"

namespace uvic {
namespace {

// What a rank leaves at the meeting.
struct Arrival {
  std::string process, size, address, build;

  std::string text() const { return fmt::format("{}\n{}\n{}\n{}", process, size, address, build); }
  static Arrival from(const std::string& text) {
    Arrival arrival;
    std::istringstream lines(text);
    for (std::string* field : {&arrival.process, &arrival.size, &arrival.address, &arrival.build})
      std::getline(lines, *field);
    return arrival;
  }
};

std::string this_process() {
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  return fmt::format("process {} of {}", ::getpid(), host);
}

// Of keys in the store: a launcher's has those of earlier attempts too, and of other worlds of this process.
std::string next_prefix(const Place& place) {
  static std::atomic<int64_t> worlds = 0;
  return fmt::format("uvic/{}/{}", place.restarts, worlds++);
}

int64_t whole_seconds(std::chrono::milliseconds time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

// Which ranks have which text: "rank 0 has A, ranks 1 and 2 have B".
std::string describe_difference(const std::vector<std::string>& texts) {
  std::map<std::string, std::vector<int64_t>> ranks;
  for (size_t rank = 0; rank < texts.size(); ++rank) ranks[texts[rank]].push_back(static_cast<int64_t>(rank));
  std::vector<std::pair<std::vector<int64_t>, std::string>> groups;
  for (const auto& [text, who] : ranks) groups.emplace_back(who, text);
  std::sort(groups.begin(), groups.end());
  std::string said;
  for (const auto& [who, text] : groups)
    said +=
        fmt::format("{}{} {} '{}'", said.empty() ? "" : ", ", list_ranks(who), who.size() == 1 ? "has" : "have", text);
  return said;
}

// Of texts that differ: the first line in which they do.
std::vector<std::string> differing_lines(const std::vector<std::string>& texts) {
  std::vector<std::istringstream> streams;
  for (const std::string& text : texts) streams.emplace_back(text);
  std::vector<std::string> lines(texts.size());
  while (true) {
    bool more = false;
    for (size_t i = 0; i < texts.size(); ++i) {
      lines[i].clear();
      more |= static_cast<bool>(std::getline(streams[i], lines[i]));
    }
    const bool same = std::all_of(lines.begin(), lines.end(), [&](const auto& line) { return line == lines[0]; });
    if (!same || !more) return lines;
  }
}

// Calls `exchange` with contiguous tensors that together are these: small ones are copied into one, and back.
template <class F>
void in_few_pieces(std::span<const Tensor> tensors, const F& exchange) {
  constexpr int64_t kMostBytes = int64_t{32} << 20;
  const at::NoGradGuard no_grad;
  std::vector<Tensor> piece;
  int64_t bytes = 0;
  const auto send = [&] {
    if (piece.size() == 1 && piece[0].is_contiguous()) {
      exchange(piece[0].view({-1}));
    } else if (!piece.empty()) {
      std::vector<Tensor> flat;
      for (const Tensor& tensor : piece) flat.push_back(tensor.reshape({-1}));
      const Tensor all = at::cat(flat);
      exchange(all);
      int64_t at = 0;
      for (Tensor& tensor : piece) {
        tensor.copy_(all.narrow(0, at, tensor.numel()).view(tensor.sizes()));
        at += tensor.numel();
      }
    }
    piece.clear();
    bytes = 0;
  };
  std::vector<Tensor> sorted;
  for (const Tensor& tensor : tensors)
    if (tensor.numel() > 0) sorted.push_back(tensor.detach());
  const auto kind = [](const Tensor& t) { return std::pair(t.device().str(), static_cast<int>(t.scalar_type())); };
  std::stable_sort(sorted.begin(), sorted.end(), [&](const Tensor& a, const Tensor& b) { return kind(a) < kind(b); });
  for (const Tensor& tensor : sorted) {
    if (!piece.empty() &&
        (kind(piece[0]) != kind(tensor) || bytes + static_cast<int64_t>(tensor.nbytes()) > kMostBytes))
      send();
    piece.push_back(tensor);
    bytes += static_cast<int64_t>(tensor.nbytes());
  }
  send();
}

}  // namespace

struct World::State {
  // A group that is being made.
  struct Connecting {
    std::mutex mutex;
    std::condition_variable ended;
    bool has_ended = false;
    std::unique_ptr<RankGroup> group;
    std::exception_ptr failure;

    void run(const std::string& host, uint16_t port, const std::string& prefix, const RankGroup::Config& config) {
      std::unique_ptr<RankGroup> made;
      std::exception_ptr thrown;
      try {
        const RankStore store = RankStore::connect(host, port, config.timeout);
        made = std::make_unique<RankGroup>(store.with_prefix(prefix), config);
      } catch (...) {
        thrown = std::current_exception();
      }
      const std::scoped_lock lock(mutex);
      group = std::move(made);
      failure = thrown;
      has_ended = true;
      ended.notify_all();
    }
  };

  Place place;
  std::string prefix;
  std::chrono::milliseconds timeout;
  RankWatch watch;
  std::unique_ptr<RankGroup> group;
  bool has_left = false;

  State(const Place& place, std::chrono::milliseconds timeout)
      : place(place), prefix(next_prefix(place)), timeout(timeout), watch(place, prefix, timeout) {
    meet();
  }

  [[noreturn]] void part(const std::string& verdict) {
    has_left = true;
    if (group) group->abort();
    fail("{}: {}", place.name(), verdict);
  }

  void meet() {
    Arrival mine{this_process(), std::to_string(place.size), own_address_towards(place.host), place.build};
    const std::vector<Arrival> all = await_all(mine);
    expect_same(all);
    const auto reachable =
        std::find_if(all.begin(), all.end(), [](const Arrival& a) { return !is_loopback(a.address); });
    if (is_loopback(mine.address) && reachable != all.end())  // on the machine of the meeting, and others are not
      mine.address = own_address_towards(reachable->address);
    const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
    connect(mine.address, interface ? interface : "");
  }

  std::vector<Arrival> await_all(const Arrival& mine) {
    const auto key = [](int64_t rank) { return fmt::format("here/{}", rank); };
    const auto deadline = Clock::now() + timeout;
    using Texts = std::vector<std::string>;
    const auto here = std::make_shared<Texts>(place.size);
    const auto look = [=, text = mine.text(), me = place.rank](const RankStore& store) {
      for (size_t rank = 0; rank < here->size(); ++rank) {
        const auto r = static_cast<int64_t>(rank);
        std::string& found = (*here)[rank];
        if (found.empty()) found = r == me ? store.set_first(key(r), text) : store.find(key(r)).value_or("");
      }
    };
    while (true) {
      if (!watch.ask(look)) part(watch.conclude_from("while ranks met"));
      if (const std::string& found = (*here)[place.rank]; found != mine.text())
        fail("{}: {} came to {}:{} as the same rank: are two runs started at one port? Set MASTER_PORT to another",
             place.name(), Arrival::from(found).process, place.host, place.port);
      std::vector<int64_t> came, missing;
      for (int64_t rank = 0; rank < place.size; ++rank) ((*here)[rank].empty() ? missing : came).push_back(rank);
      if (missing.empty()) break;
      stop_if_interrupted();
      if (const auto verdict = watch.verdict()) part(*verdict);
      if (Clock::now() > deadline)
        part(watch.conclude(fmt::format(
            "{} did not come to {}:{} within {} s, {} did: start all {} ranks, and see what the "
            "missing ones say",
            list_ranks(missing), place.host, place.port, whole_seconds(timeout), list_ranks(came), place.size)));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    std::vector<Arrival> all;
    for (const std::string& text : *here) all.push_back(Arrival::from(text));
    return all;
  }

  void expect_same(const std::vector<Arrival>& all) {
    const auto compare = [&](std::string Arrival::*field, const char* what, const char* remedy) {
      std::vector<std::string> values;
      for (const Arrival& arrival : all) values.push_back(arrival.*field);
      if (std::all_of(values.begin(), values.end(), [&](const auto& value) { return value == values[0]; })) return;
      part(watch.conclude(fmt::format("{}: {}: {}", what, describe_difference(values), remedy)));
    };
    compare(&Arrival::size, "ranks were told of different numbers of ranks", "start all of them by one launcher");
    compare(&Arrival::build, "ranks are of different builds", "start the same program on all machines");
  }

  // On a thread of its own, which is left behind if need be: a store whose process is stopped keeps its clients for
  // ever, whatever the time-out.
  void connect(const std::string& address, const std::string& interface) {
    const auto connecting = std::make_shared<Connecting>();
    // Its own connection, as the watch keeps the other one busy.
    const bool serves = place.rank == 0 && !place.launcher_has_store;
    std::thread([connecting, host = serves ? "127.0.0.1" : place.host, port = place.port, prefix = prefix,
                 config = RankGroup::Config{place.rank, place.size, address, interface, timeout}] {
      connecting->run(host, port, prefix, config);
    }).detach();
    std::unique_lock lock(connecting->mutex);
    constexpr std::chrono::seconds kLonger{1};  // than c10d itself, which may say more
    if (!connecting->ended.wait_for(lock, timeout + kLonger, [&] { return connecting->has_ended; }))
      part(watch.conclude_from("ranks did not connect within the time-out"));
    attempt([&] {
      if (connecting->failure) std::rethrow_exception(connecting->failure);
      group = std::move(connecting->group);
    });
  }

  // What c10d throws becomes the verdict.
  template <class F>
  auto attempt(const F& action) -> decltype(action()) {
    if (has_left) fail("{}: {}", place.name(), watch.verdict().value_or("the ranks have parted"));
    try {
      return action();
    } catch (const std::exception& error) {
      part(watch.conclude_from(words_of(error)));
    }
  }

  Exchange start_sum(const Tensor& tensor, std::chrono::milliseconds patience) {
    watch.count_exchange();
    return group->start_sum(tensor, patience);
  }
};

struct World::Pending::Sum {
  std::shared_ptr<State> state;
  Exchange exchange;
};

void World::Pending::wait() {
  if (const auto sum = std::exchange(sum_, nullptr)) sum->state->attempt([&] { sum->exchange.wait(); });
}

World::World(const Place& place, std::chrono::seconds timeout) {
  if (place.size == 1) return;
  speak_as_rank(place.rank, place.size);
  state_ = std::make_shared<State>(place, timeout);
}

int64_t World::rank() const {
  return state_ ? state_->place.rank : 0;
}
int64_t World::size() const {
  return state_ ? state_->place.size : 1;
}
int64_t World::local_rank() const {
  return state_ ? state_->place.local_rank : 0;
}

void World::all_reduce(std::span<const Tensor> tensors) const {
  if (!state_) return;
  in_few_pieces(tensors, [&](const Tensor& tensor) {
    state_->attempt([&] { state_->start_sum(tensor, state_->timeout).wait(); });
  });
}

World::Pending World::start_all_reduce(const Tensor& tensor) const {
  Pending pending;
  if (!state_ || tensor.numel() == 0) return pending;
  pending.sum_ = state_->attempt([&] {
    return std::make_shared<Pending::Sum>(Pending::Sum{state_, state_->start_sum(tensor.detach(), state_->timeout)});
  });
  return pending;
}

void World::broadcast(std::span<const Tensor> tensors, int64_t root) const {
  if (!state_) return;
  in_few_pieces(tensors, [&](const Tensor& tensor) {
    state_->attempt([&] {
      state_->watch.count_exchange();
      state_->group->start_broadcast(tensor.view(at::kByte), root, state_->timeout).wait();
    });
  });
}

std::vector<Tensor> World::of_rank(int64_t root, const std::vector<Tensor>& mine) const {
  if (!state_) return mine;
  constexpr int64_t kRowsAtOnce = 4096;  // so that what must arrive within the time-out has a limit
  const Tensor shapes = at::empty({std::ssize(mine), 3}, at::kLong);
  auto* shape = shapes.mutable_data_ptr<int64_t>();
  for (const Tensor& matrix : mine) {
    *shape++ = matrix.size(0);
    *shape++ = matrix.size(1);
    *shape++ = static_cast<int64_t>(matrix.scalar_type());
  }
  broadcast({{shapes}}, root);
  shape = shapes.mutable_data_ptr<int64_t>();
  std::vector<Tensor> theirs;
  for (const Tensor& matrix : mine) {
    theirs.push_back(rank() == root ? matrix : at::empty({shape[0], shape[1]}, static_cast<at::ScalarType>(shape[2])));
    broadcast(theirs.back().split(kRowsAtOnce), root);
    shape += 3;
  }
  return theirs;
}

void World::barrier(std::optional<std::chrono::seconds> patience) const {
  if (!state_) return;
  const Tensor nothing = at::zeros({1});
  if (!patience) return all_reduce({{nothing}});
  const RankWatch::Listening listening(state_->watch);
  state_->attempt([&] {
    const Exchange sum = state_->start_sum(nothing, *patience);
    constexpr std::chrono::milliseconds kLongest{100};
    for (std::chrono::milliseconds pause{1}; !sum.is_done(); pause = std::min(2 * pause, kLongest)) {
      std::this_thread::sleep_for(pause);
      if (const auto verdict = state_->watch.verdict()) state_->part(*verdict);
      if (const auto wrong = listening.silence(state_->timeout)) state_->part(state_->watch.conclude(*wrong));
    }
    sum.wait();
  });
}

std::vector<std::string> World::gather(const std::string& mine) const {
  if (!state_) return {mine};
  const Tensor lengths = at::zeros({size()}, at::kLong);
  auto* length = lengths.mutable_data_ptr<int64_t>();
  length[rank()] = static_cast<int64_t>(mine.size());
  all_reduce({{lengths}});
  const Tensor bytes = at::zeros({lengths.sum().item<int64_t>()}, at::kByte);
  std::copy(mine.begin(), mine.end(),
            bytes.mutable_data_ptr<uint8_t>() + std::accumulate(length, length + rank(), int64_t{0}));
  all_reduce({{bytes}});
  std::vector<std::string> all;
  const auto* next = bytes.const_data_ptr<uint8_t>();
  for (int64_t rank = 0; rank < size(); next += length[rank++]) all.emplace_back(next, next + length[rank]);
  return all;
}

std::vector<std::string> World::gather_lists(const std::vector<std::string>& mine) const {
  std::string joined;
  for (const std::string& text : mine) joined += text + '\0';
  std::vector<std::string> all;
  for (const std::string& list : gather(joined)) {
    std::istringstream stream(list);
    for (std::string text; std::getline(stream, text, '\0');) all.push_back(text);
  }
  return all;
}

void World::expect_equal(std::string_view what, const std::string& mine) const {
  const std::vector<std::string> all = gather(mine);
  if (std::all_of(all.begin(), all.end(), [&](const std::string& text) { return text == mine; })) return;
  fail("{}: {} differs between ranks: {}: start all of them with the same options and files", state_->place.name(),
       what, describe_difference(differing_lines(all)));
}

bool World::leave(const std::string& why) const {
  if (!state_) return true;
  const auto stopped = [](int64_t rank) { return fmt::format("rank {} stopped: ", rank); };
  const std::string verdict = state_->watch.conclude(stopped(rank()) + why);
  if (!std::exchange(state_->has_left, true)) state_->group->abort();
  for (int64_t other = 0; other < size(); ++other)
    if (other != rank() && verdict.starts_with(stopped(other))) return false;
  return true;
}

}  // namespace uvic
