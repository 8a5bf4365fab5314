#include "app/score.h"

namespace uvic {

struct ModelScorer::State {};
ModelScorer::ModelScorer(const EvalConfig&, std::shared_ptr<const Dataset>) {}
ModelScorer::~ModelScorer() = default;
std::optional<Score> ModelScorer::operator()(const Model&, const SampleConfig&) { return std::nullopt; }

}  // namespace uvic
