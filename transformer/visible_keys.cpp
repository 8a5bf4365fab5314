#include "transformer/visible_keys.h"

namespace uvic {
namespace {

Tensor numbers(int64_t count) {
  return at::arange(count, at::kLong);
}

}  // namespace

VisibleKeys causal_keys(int64_t queries, int64_t keys) {
  return {.first = at::zeros({1, queries}, at::kLong), .last = (numbers(queries) + (keys - queries + 1)).unsqueeze(0)};
}

VisibleKeys first_keys(const Tensor& lengths, int64_t queries) {
  const Tensor last = lengths.unsqueeze(1).expand({-1, queries});
  return {.first = at::zeros_like(last), .last = last};
}

VisibleKeys document_keys(const Tensor& begins) {
  const Tensor places = numbers(begins.size(1)).to(begins.device());
  const Tensor starts = std::get<0>(at::cummax(at::where(begins, places, at::zeros_like(places)), 1));
  return {.first = starts, .last = (places + 1).unsqueeze(0).expand_as(starts)};
}

VisibleKeys block_window_keys(int64_t length, int64_t block, int64_t segments) {
  const Tensor places = numbers(length).unsqueeze(0);
  return {.first = (places.div(block, "floor") - segments).clamp_min(0) * block, .last = places + 1};
}

VisibleKeys block_window_keys(int64_t length, int64_t block, int64_t segments, int64_t prefix, bool both_sides) {
  const Tensor number = numbers(length - prefix).div(block, "floor");  // of the block
  const Tensor first = (number - segments).clamp_min(0) * block;
  const Tensor last = (number + (both_sides ? segments + 1 : 1)) * block;
  const Tensor all = at::full({prefix}, length, at::kLong);
  return {.prefix = prefix,
          .first = at::cat({at::zeros_like(all), first + prefix}).unsqueeze(0),
          .last = at::cat({all, last + prefix}).unsqueeze(0)};
}

VisibleKeys checked(const VisibleKeys& keys, int64_t batch, int64_t queries, int64_t count, at::Device device) {
  TORCH_CHECK(keys.prefix >= 0 && keys.first.defined() == keys.last.defined(),
              "visible keys have a prefix of 0 or more and both ends of the intervals");
  if (!keys.first.defined() || keys.prefix >= count) return {};
  const auto end = [&](const Tensor& x) {
    TORCH_CHECK(x.dim() == 2 && (x.size(0) == 1 || x.size(0) == batch) && x.size(1) == queries,
                "intervals of visible keys are [B or 1, queries], got ", x.sizes(), " for ", batch, " images and ",
                queries, " queries");
    return x.to(device, at::kLong).clamp(keys.prefix, count);
  };
  const Tensor first = end(keys.first), last = at::maximum(end(keys.last), first);
  const int64_t images = std::max(first.size(0), last.size(0));
  const auto whole = [&](const Tensor& x) { return x.expand({images, queries}).to(at::kInt).contiguous(); };
  return {.prefix = keys.prefix, .first = whole(first), .last = whole(last)};
}

Tensor dense_mask(const VisibleKeys& keys, int64_t count, at::Device device) {
  if (!keys.first.defined() || keys.prefix >= count) return {};
  const Tensor key = numbers(count).to(device).view({1, 1, count});
  const auto end = [&](const Tensor& x) { return x.to(device, at::kLong).unsqueeze(-1); };
  return (key < keys.prefix).logical_or((end(keys.first) <= key).logical_and(key < end(keys.last)));
}

}  // namespace uvic
