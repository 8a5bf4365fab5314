#include "lm/perplexity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "lm/reader.h"

namespace uvic {
namespace {

constexpr int64_t kTokensAtOnce = 4096;

struct Piece {
  int64_t document;
  const int32_t* tokens;
  int64_t length;
};

// Of -log p of every token but the first, for rows [B, L]; [B, L - 1] float64.
Tensor nats_of_rows(const Cogformer& net, const Tensor& rows) {
  const int64_t length = rows.size(1);
  Reader reader(net, rows.size(0));
  std::vector<Tensor> all;
  for (int64_t begin = 0; begin + 1 < length; begin += kTokensAtOnce) {
    const int64_t count = std::min(kTokensAtOnce, length - 1 - begin);
    const Tensor logs = at::log_softmax(reader.read(rows.narrow(1, begin, count)).to(at::kFloat), -1);
    all.push_back(-logs.gather(2, rows.narrow(1, begin + 1, count).unsqueeze(2)).squeeze(2).to(at::kDouble));
  }
  return at::cat(all, 1);
}

}  // namespace

Perplexity perplexity(const Cogformer& net, const std::vector<std::vector<int32_t>>& documents, int64_t longest,
                      const std::function<void(int64_t)>& on_document) {
  const at::NoGradGuard no_grad;
  const bool has_memory = net.config().memory.block > 0;
  std::vector<Piece> pieces;
  for (size_t d = 0; d < documents.size(); ++d) {
    const auto size = std::ssize(documents[d]);
    const int64_t step = has_memory ? size : longest - 1;  // the last token of a piece is the first of the next
    for (int64_t begin = 0; begin + 1 < size; begin += step)
      pieces.push_back({static_cast<int64_t>(d), documents[d].data() + begin, std::min(step + 1, size - begin)});
  }
  if (pieces.empty()) fail("there is no token to predict in {} documents", documents.size());
  // Rows of one length need no padding.
  std::ranges::stable_sort(pieces, std::greater(), &Piece::length);
  std::vector<double> nats(documents.size()), counts(documents.size());
  int64_t done = 0;
  for (size_t begin = 0; begin < pieces.size();) {
    const int64_t length = pieces[begin].length;
    size_t end = begin;
    while (end < pieces.size() && pieces[end].length == length &&
           static_cast<int64_t>(end - begin) < std::max<int64_t>(1, kTokensAtOnce / length))
      ++end;
    const Tensor rows = at::empty({static_cast<int64_t>(end - begin), length}, at::kLong);
    for (size_t i = begin; i < end; ++i)
      std::copy_n(pieces[i].tokens, length, rows[static_cast<int64_t>(i - begin)].data_ptr<int64_t>());
    const Tensor sums = nats_of_rows(net, rows.to(net.device())).sum(1).cpu();
    for (size_t i = begin; i < end; ++i) {
      nats[pieces[i].document] += sums[static_cast<int64_t>(i - begin)].item<double>();
      counts[pieces[i].document] += static_cast<double>(length - 1);
    }
    done += static_cast<int64_t>(end - begin);
    on_document(std::min<int64_t>(done, std::ssize(documents)));
    begin = end;
  }
  const double sum = std::accumulate(nats.begin(), nats.end(), 0.0);
  const double count = std::accumulate(counts.begin(), counts.end(), 0.0), mean = sum / count;
  Perplexity result{.documents = std::ssize(documents),
                    .tokens = static_cast<int64_t>(count),
                    .nats = sum,
                    .value = std::exp(mean),
                    .interval = std::nullopt};
  // The mean is a ratio of two sums over documents; its error is that of the residuals.
  double squares = 0;
  for (size_t d = 0; d < nats.size(); ++d) squares += std::pow(nats[d] - mean * counts[d], 2);
  if (const auto n = static_cast<double>(nats.size()); n > 1) {
    const double error = 1.96 * std::sqrt(squares * n / (n - 1)) / count;
    result.interval = {std::exp(mean - error), std::exp(mean + error)};
  }
  return result;
}

}  // namespace uvic
