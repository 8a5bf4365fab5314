// The processes that train one model together, each of them a rank, and what they do together.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/share.h"
#include "core/tensor.h"
#include "train/place.h"

namespace uvic {

// Every rank calls the same functions in the same order, with tensors of the same shapes. An Error, one line that names
// the rank at fault, if another rank stops, dies or does not come within the time-out; it is the same on all ranks.
// Copies are of one world.
class World {
 public:
  World() = default;  // of one: nobody to wait for
  // Meets the other ranks. Error naming this rank if the meeting cannot be opened or reached, if ranks do not come
  // within the time-out, or are of another build. Of the ranks of a world, rank 0 alone prints from now on; errors
  // begin with the rank.
  World(const Place& place, std::chrono::seconds timeout);

  int64_t rank() const;
  int64_t size() const;
  int64_t local_rank() const;
  Share share() const { return {rank(), size()}; }

  // Sums over ranks, in place, with the same bits on every rank.
  void all_reduce(std::span<const Tensor> tensors) const;
  // Goes on while this rank does something else, until it is waited for. The tensor is contiguous.
  class Pending;
  Pending start_all_reduce(const Tensor& tensor) const;
  // Copies those of rank `root`.
  void broadcast(std::span<const Tensor> tensors, int64_t root = 0) const;
  // The matrices of rank `root`, on every rank; as many on all, whose own may have any types and sizes.
  std::vector<Tensor> of_rank(int64_t root, const std::vector<Tensor>& mine) const;
  // Waits for all. `patience`: longer than the time-out, where one rank does something long, such as writing a
  // checkpoint; a rank that is silent for the time-out is noticed all the same.
  void barrier(std::optional<std::chrono::seconds> patience = {}) const;
  // Of all ranks, in order of rank; short ones.
  std::vector<std::string> gather(const std::string& mine) const;
  // The lists of all ranks one after the other; of texts without '\0', which may be long together.
  std::vector<std::string> gather_lists(const std::vector<std::string>& mine) const;

  // Error on every rank, naming the ranks and the first line that differs, if this text is not the same on all.
  void expect_equal(std::string_view what, const std::string& mine) const;

  // To be called before a rank ends with an error: the others are told why, and end too. False if another rank has
  // ended before, which says why itself.
  bool leave(const std::string& why) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class World::Pending {
 public:
  Pending() = default;  // done
  void wait();

 private:
  friend class World;
  struct Sum;
  std::shared_ptr<Sum> sum_;
};

}  // namespace uvic
