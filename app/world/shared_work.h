// Work that processes share out, each of which does its part of a command.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <string>

#include "app/world/local_ranks.h"
#include "train/world.h"

namespace uvic {

// In which one rank does something long while the others wait. One that dies meanwhile is noticed all the same.
constexpr std::chrono::hours kPatience{24};

// The ranks of the place, said in the log; alone where it has one.
World join(const Place& place, std::chrono::seconds timeout);
// Does the work of a rank. The others are told of what ends it; of those of --ranks the first one alone says it.
void take_part(const World& world, const std::function<void(const World&)>& work);

struct SharedWork {
  std::string shard;  // "0/4", "" for all
  LocalRanks ranks;

  // --shard, with that help, and --ranks.
  void add_options(CLI::App& app, const std::string& help);
  // To be called before anything else is done. Does the work as each of the ranks that share it, as --ranks or a
  // launcher's variables say, until all are done; `shard` is that of this rank.
  void run(const std::function<void(const World&)>& work);
};

}  // namespace uvic
