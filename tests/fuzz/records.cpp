// The two tables of a run that is gone on with: stats.jsonl, a NUL, metrics.csv.
#include "tests/fuzz/fuzz.h"
#include "train/run_folder.h"

FUZZ(bytes) {
  put("run/config.toml", "");
  const size_t end = std::min(bytes.find('\0'), bytes.size());
  put("run/stats.jsonl", bytes.substr(0, end));
  put("run/metrics.csv", bytes.substr(std::min(end + 1, bytes.size())));
  RunFolder::open(folder() / "run").rewind(5);
}
