// Training runs as one HTML file, which needs neither network nor script.
#pragma once

#include <string>
#include <vector>

#include "app/report/curves.h"

namespace uvic {

// The page: what was trained and how far it came, curves, samples, scores, checkpoints, machines, configs and what
// differs between them. Damaged samples are left out with a warning. 1 to
// kMostSeries runs.
std::string write_report(const std::vector<NamedRun>& runs);

}  // namespace uvic
