#include "app/draw/finite_check.h"

namespace uvic {

void FiniteCheck::look(const Tensor& x, std::string what) {
  finite_.push_back(at::isfinite(x).flatten(1).all(1));  // of a GPU it is not waited for
  what_.push_back(std::move(what));
  if (x.is_cpu() && !finite_.back().any().item<bool>()) throw NotFinite(problems().front());
}

std::vector<std::string> FiniteCheck::problems() const {
  std::vector<std::string> all(requests_.size());
  for (size_t look = 0; look < what_.size(); ++look) {
    const Tensor finite = finite_[look].cpu();
    if (finite.all().item<bool>()) continue;
    for (size_t i = 0; i < all.size(); ++i)
      if (all[i].empty() && !finite[static_cast<int64_t>(i)].item<bool>())
        all[i] = fmt::format(
            "seed {} gives no picture: {} is not finite (NaN or infinity); the weights may be damaged, or the "
            "guidance too strong",
            requests_[i].seed, what_[look]);
  }
  return all;
}

}  // namespace uvic
