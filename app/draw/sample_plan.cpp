#include "app/draw/sample_plan.h"

#include "core/precision.h"

namespace uvic {

Request SamplePlan::request(int64_t i) const {
  Request request = common;
  request.number = i;
  request.mix = mixes[static_cast<size_t>(i % frames())];
  const int64_t start = i / frames();
  request.seed = seeds[static_cast<size_t>(start % std::ssize(seeds))];
  request.prompt = prompts[static_cast<size_t>(start / std::ssize(seeds))];
  return request;
}

Recipe make_recipe(const Model& model, const Request& request, const GenerateOptions& how) {
  Recipe recipe{.prompt = request.prompt,
                .negative = request.negative,
                .settings = how.settings,
                .to_prompt = request.to_prompt,
                .to_seed = request.to_seed,
                .mix = request.mix,
                .image_hash = "",
                .mask_hash = "",
                .seed = request.seed,
                .width = picture_size(model),
                .height = picture_size(model),
                .model = model.name,
                .model_hash = model.hash,
                .adapters = model.adapters,
                .label = request.label,
                .label_name = "",
                .version = "uvic " UVIC_VERSION};
  if (how.edit) {
    recipe.image_hash = how.edit->image_hash;
    recipe.mask_hash = how.edit->mask_hash;
  }
  if (request.label && *request.label < static_cast<int64_t>(model.card.classes.size()))
    recipe.label_name = model.card.classes[*request.label];
  return recipe;
}

}  // namespace uvic
