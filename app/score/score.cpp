#include "app/score/score.h"

#include "core/error.h"
#include "core/image/image.h"
#include "core/interrupt.h"
#include "core/left_out.h"
#include "core/one_by_one.h"
#include "core/progress.h"
#include "eval/metrics/kinds.h"

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

}  // namespace

std::unique_ptr<FeatureNet> load_feature_net(const std::string& name, const std::filesystem::path& weights,
                                             const std::string& resize) {
  const std::string fallback = weights.empty() ? default_feature_net() : "inception-fid";
  return find(feature_nets(), name.empty() ? fallback : name, "feature network").value(weights, resize);
}

ImageNetwork network_of(const FeatureNet& net) {
  return {.network = std::bind_front(&FeatureNet::activations, &net)};
}

void run_network(const ImageNetwork& network, const ImageSource& source, int64_t count, const Stretch& part,
                 const std::string& name, const OnActivations& on_batch, const Wanted& wanted, int64_t fewest) {
  Progress progress(name, part.size(), "image");
  LeftOut left_out(name);
  const auto reader = source.open(count, part);
  reader->on_done = [&](int64_t done) { progress.update(done); };
  while (const auto images = reader->next(wanted)) {
    std::vector<Activations> parts;
    std::vector<int64_t> indices;
    for (Piece& piece : run_pieces(network, *images)) {
      for (const std::string& problem : piece.problems) left_out.add(problem);
      indices.insert(indices.end(), piece.indices.begin(), piece.indices.end());
      if (!piece.indices.empty()) parts.push_back(std::move(piece.activations));
    }
    if (!indices.empty()) on_batch(concatenate(parts), indices);
    progress.update(reader->done());
  }
  left_out.finish();
  if (const int64_t good = part.size() - left_out.count(); left_out.count() > 0 && good < fewest)
    fail("{}: only {} of its images can be read, a score needs {}", name, good, fewest);
}

void run_network(const ImageNetwork& network, const ImageSource& source, int64_t count, const std::string& name,
                 const OnActivations& on_batch, const Wanted& wanted, int64_t fewest) {
  run_network(network, source, count, {0, count}, name, on_batch, wanted, fewest);
}

FeatureSet measure(const FeatureNet& net, const ImageSource& source, int64_t count, const std::string& task) {
  if (count < 2) fail("{}: a score needs at least 2 images, there {} {}", task, count == 1 ? "is" : "are", count);
  FeatureCollector features({});
  run_network(network_of(net), source, count, task, [&](const Activations& batch, auto) { features.add(batch); });
  return features.finish();
}

ModelScorer::ModelScorer(const EvalConfig& config, std::shared_ptr<const Dataset> data)
    : config_(config), data_(std::move(data)), net_(load_feature_net(config.features)) {}

std::optional<Score> ModelScorer::operator()(const Model& model, const SampleConfig& sample) {
  try {
    if (!of_data_)
      of_data_ = measure(*net_, *dataset_images(data_), std::min(config_.num, data_->size()), "features of the data");
    if (!conditions_) conditions_ = conditions_for(model, data_, config_.num);
    const GenerateOptions how{.settings = sample};
    const FeatureSet drawn =
        measure(*net_, *model_images(model, *conditions_, how), config_.num, "drawing for the score");
    const MetricValue distance = fid_metric(drawn, *of_data_, 0).front();
    return Score{distance_label(net_->name(), net_->weights_sha256()), distance.value, distance.spread};
  } catch (const NotFinite& error) {
    warn(fmt::format("no score at step {}: {}", model.card.step, error.what()));
    return std::nullopt;
  }
}

}  // namespace uvic
