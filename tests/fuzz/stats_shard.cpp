// A shard of statistics.
#include "eval/stats_shard.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const StatsShard shard = read_stats_shard(put("a.npz", bytes));
  look_at(shard.features);
  FeatureStats stats;
  if (shard.features.size(1) < 64) shard.add_to(stats);
}
