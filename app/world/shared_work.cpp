#include "app/world/shared_work.h"

#include "app/cli/checks.h"
#include "app/cli/seeds.h"
#include "core/error.h"
#include "core/progress.h"

namespace uvic {

void take_part(const World& world, const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    const std::string what = error.what();
    world.leave(what.substr(0, what.find('\n')));
    throw;
  }
}

void SharedWork::add_options(CLI::App& app, const std::string& help) {
  app.add_option("--shard", shard, help)->check(taken_by(parse_share));
  ranks.add_ranks(app);
}

World SharedWork::begin() {
  constexpr std::chrono::seconds kTimeout{60};
  ranks.launch();
  const Place place = find_place();
  if (place.size == 1) return {};
  if (!shard.empty())
    fail("{}: --shard {} is for processes that know nothing of each other; ranks share the work out themselves",
         place.name(), shard);
  World world(place, kTimeout);
  log_line(place.describe());
  shard = world.share().text();
  return world;
}

}  // namespace uvic
