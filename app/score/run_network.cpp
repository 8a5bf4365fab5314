#include "app/score/run_network.h"

#include <algorithm>

#include "app/world/shared_work.h"
#include "core/error.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/left_out.h"
#include "core/one_by_one.h"
#include "core/progress.h"

namespace uvic {
namespace {

// Images that one thread decodes and takes through the network at a time. More would leave the processor's caches and
// be slower. Rounding depends on how many go through together, so pieces are those of the reader's batch.
constexpr size_t kPiece = 4;
constexpr size_t kMostPixelBytes = size_t{64} << 20;  // of large images fewer at a time

struct Piece {
  Activations activations;
  std::vector<int64_t> indices;
  std::vector<std::string> problems;
};

Piece run_piece(const ImageNetwork& network, std::span<const SourceImage> images) {
  Piece piece;
  std::vector<Activations> parts;
  std::vector<Tensor> decoded;
  size_t bytes = 0;
  const PictureMemory memory;
  const auto run = [&] {
    if (!decoded.empty()) parts.push_back(network.network(decoded));
    decoded.clear();
    bytes = 0;
  };
  for (const SourceImage& image : images) {
    try {
      const Tensor pixels = decode(image);
      decoded.push_back(network.prepare ? network.prepare(pixels, image.name) : pixels);
      piece.indices.push_back(image.index);
      bytes += decoded.back().nbytes();
    } catch (const Error& error) {
      piece.problems.push_back(error.what());
    }
    if (bytes > kMostPixelBytes) run();
  }
  run();
  if (!parts.empty()) piece.activations = concatenate(parts);
  return piece;
}

// Of some images, on all threads, whose number changes no bit.
std::vector<Piece> run_pieces(const ImageNetwork& network, std::span<const SourceImage> images) {
  std::vector<Piece> pieces((images.size() + kPiece - 1) / kPiece);
  each_on_one_thread(std::ssize(pieces), [&](int64_t i) {
    if (interrupted()) return;
    pieces[i] = run_piece(network, images.subspan(i * kPiece).first(std::min(kPiece, images.size() - i * kPiece)));
  });
  stop_if_interrupted();
  return pieces;
}

using OnProblem = std::function<void(const std::string& problem)>;

void go_through(const ImageNetwork& network, const ImageSource& source, int64_t count, const Stretch& part,
                const std::string& name, const OnActivations& on_batch, const Wanted& wanted,
                const OnProblem& on_problem) {
  Progress progress(name, part.size(), "image");
  const auto reader = source.open(count, part);
  reader->on_done = [&](int64_t done) { progress.update(done); };
  while (const auto images = reader->next(wanted)) {
    std::vector<Activations> parts;
    std::vector<int64_t> indices;
    for (Piece& piece : run_pieces(network, *images)) {
      for (const std::string& problem : piece.problems) on_problem(problem);
      indices.insert(indices.end(), piece.indices.begin(), piece.indices.end());
      if (!piece.indices.empty()) parts.push_back(std::move(piece.activations));
    }
    if (!indices.empty()) {
      const Activations batch = concatenate(parts);
      on_batch(network.refine ? network.refine(batch, indices) : batch, indices);
    }
    progress.update(reader->done());
  }
}

// Of `images`, some of which may be left out.
void expect_enough(const LeftOut& left_out, int64_t images, int64_t fewest) {
  left_out.finish();
  if (const int64_t good = images - left_out.count(); left_out.count() > 0 && good < fewest)
    fail("{}: only {} of its images can be read, a score needs {}", left_out.what(), good, fewest);
}

// Of a rank's images.
struct RankBatches {
  std::vector<Activations> batches;
  std::vector<int64_t> rows, indices;  // how many each batch has, and of which images they are
};

// As ranks exchange them: rows, indices, features, logits and spatial features of all batches.
std::vector<Tensor> as_matrices(const RankBatches& mine) {
  const Activations all = concatenate(mine.batches);
  std::vector<Tensor> matrices{at::tensor(mine.rows, at::kLong).view({-1, 1}),
                               at::tensor(mine.indices, at::kLong).view({-1, 1})};
  for (const Tensor& matrix : {all.features, all.logits, all.spatial})
    matrices.push_back(matrix.defined() ? matrix : at::empty({0, 0}));
  return matrices;
}

void hand_out(const std::vector<Tensor>& matrices, const OnActivations& on_batch) {
  const auto numbers = [](const Tensor& column) {
    return std::span(column.const_data_ptr<int64_t>(), static_cast<size_t>(column.numel()));
  };
  int64_t begin = 0;
  for (const int64_t rows : numbers(matrices[0])) {
    const auto of_batch = [&](const Tensor& matrix) {
      return matrix.size(1) > 0 ? matrix.narrow(0, begin, rows) : Tensor();
    };
    on_batch({of_batch(matrices[2]), of_batch(matrices[3]), of_batch(matrices[4])},
             numbers(matrices[1]).subspan(begin, rows));
    begin += rows;
  }
}

}  // namespace

ImageNetwork network_of(const FeatureNet& net) {
  return {.network = std::bind_front(&FeatureNet::activations, &net),
          .identity = fmt::format("{} {} {}", net.name(), net.weights_sha256(), net.resize())};
}

void run_network(const ImageNetwork& network, const ImageSource& source, int64_t count, const Stretch& part,
                 const std::string& name, const OnActivations& on_batch, const Wanted& wanted, int64_t fewest) {
  LeftOut left_out(name);
  go_through(network, source, count, part, name, on_batch, wanted,
             [&](const std::string& problem) { left_out.add(problem); });
  expect_enough(left_out, part.size(), fewest);
}

void run_network(const World& world, const ImageNetwork& network, const ImageSource& source, int64_t count,
                 const std::string& name, const OnActivations& on_batch, int64_t fewest) {
  if (world.size() == 1) return run_network(network, source, count, {0, count}, name, on_batch, {}, fewest);
  world.barrier(kPatience);  // some have opened their images sooner than others
  world.expect_equal(name, fmt::format("{} images {}\nnetwork {}", count, source.fingerprint(), network.identity));
  LeftOut left_out(name);
  RankBatches mine;
  std::vector<std::string> problems;
  go_through(
      network, source, count, part_of(source, count, world.share()), name,
      [&](const Activations& batch, std::span<const int64_t> indices) {
        mine.batches.push_back(batch);
        mine.rows.push_back(std::ssize(indices));
        mine.indices.insert(mine.indices.end(), indices.begin(), indices.end());
      },
      {},
      [&](const std::string& problem) {
        left_out.add(problem);
        problems.push_back(problem);
      });
  world.barrier(kPatience);
  const std::vector<std::string> of_all = world.gather_lists(problems);
  if (world.rank() == 0) {  // which has told of its own
    for (size_t i = problems.size(); i < of_all.size(); ++i) left_out.add(of_all[i]);
    expect_enough(left_out, count, fewest);
  }
  const std::vector<Tensor> matrices = as_matrices(mine);
  mine = {};
  if (world.rank() == 0) hand_out(matrices, on_batch);
  for (int64_t rank = 1; rank < world.size(); ++rank) {
    world.barrier(kPatience);  // until rank 0 has added up what it has
    const std::vector<Tensor> theirs = world.of_rank(rank, matrices);
    if (world.rank() == 0) hand_out(theirs, on_batch);
  }
}

}  // namespace uvic
