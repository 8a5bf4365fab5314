// The records of a run as a report has them: stats.jsonl, a NUL, a config.
#include "app/report/curves.h"
#include "app/report/html.h"
#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  const size_t end = std::min(bytes.find('\0'), bytes.size());
  put("run/stats.jsonl", bytes.substr(0, end));
  put("run/config.toml", bytes.substr(std::min(end + 1, bytes.size())));
  const RunRecord run = read_run(folder() / "run");
  std::string html = escape_html(run.config);
  for (const Chart& chart : charts_of({{"run", run}})) html += to_html(chart);
  for (const char c : html) TORCH_CHECK(c == '\n' || static_cast<unsigned char>(c) >= 0x20, "a control character");
}
