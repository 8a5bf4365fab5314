// Statistics for the Frechet distance, as pytorch-fid writes them.
#include "eval/stats.h"

#include "tests/fuzz/fuzz.h"

FUZZ(bytes) {
  std::map<std::string, std::string> notes;
  const Gaussian gaussian = read_gaussian(put("a.npz", bytes), &notes);
  look_at(gaussian.mu);
  look_at(gaussian.sigma);
}
