#include "app/world/shared_work.h"

#include "app/cli/checks.h"
#include "app/cli/seeds.h"
#include "core/error.h"
#include "core/progress.h"
#include "train/place.h"

namespace uvic {

World join(const Place& place, std::chrono::seconds timeout) {
  World world(place, timeout);
  if (place.size > 1) log_line(place.describe());
  return world;
}

void take_part(const World& world, const std::function<void(const World&)>& work) {
  try {
    work(world);
  } catch (const std::exception& error) {
    const std::string what = error.what();
    const bool says_so = world.leave(what.substr(0, what.find('\n')));
    if (!says_so && find_place().launcher == kLocalLauncher) throw RanksEnded{kExitError};  // they share a terminal
    throw;
  }
}

void SharedWork::add_options(CLI::App& app, const std::string& help) {
  app.add_option("--shard", shard, help)->check(taken_by(parse_share));
  ranks.add_ranks(app);
}

void SharedWork::run(const std::function<void(const World&)>& work) {
  constexpr std::chrono::seconds kTimeout{60};
  ranks.launch();
  const Place place = find_place();
  if (place.size > 1 && !shard.empty())
    fail("{}: --shard {} is for processes that know nothing of each other; ranks share the work out themselves",
         place.name(), shard);
  take_part(join(place, kTimeout), [&](const World& world) {
    if (world.size() > 1) shard = world.share().text();
    work(world);
    world.barrier(kPatience);
  });
}

}  // namespace uvic
