// What there is to know of a run in short, as tables.
#pragma once

#include <vector>

#include "app/report/curves.h"
#include "app/report/html.h"

namespace uvic {

// A column for each run: how far it came, what it trains on what; then the rest of it, and the machine. A config that
// is not one of this uvic is left out with a warning.
struct Overview {
  HtmlTable in_short, rest;
};
Overview overview(const std::vector<NamedRun>& runs);

HtmlTable score_table(const NamedRun& run);       // the best marked
HtmlTable checkpoint_table(const NamedRun& run);  // likewise
HtmlTable machine_table(const NamedRun& run);     // a row for each time that training began or went on

std::string state_text(const RunRecord& run);  // "stopped at step 500 of 1000"
std::string time_text(double seconds);         // since 1970: "2026-12-01 12:09 UTC"; 0: "unknown"

}  // namespace uvic
