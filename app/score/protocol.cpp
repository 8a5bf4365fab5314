#include "app/score/protocol.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "core/random.h"

namespace uvic {
namespace {

// 50 steps at U-ViT's guidance 1, which is 2 here (docs/math.md): the published setting of arXiv 2209.12152.
const SampleConfig kOfUVit{.sampler = {.kind = "dpm-solver++", .steps = 50}, .cfg_scale = 2};
const Entry<Protocol> kTable[] = {
    {"coco30k-val2014",
     {"coco", "val", "2014", 256, 30'000, kOfUVit, "pytorch-fid"},
     "30,000 captions of MS-COCO's val2014 against all its images, 256 pixels, DPM-Solver++ 50 steps, guidance 2"},
    {"coco5k-val2017",
     {"coco", "val", "2017", 256, 5'000, kOfUVit, "pytorch-fid"},
     "the same with 5,000 captions of val2017, for a smaller download"},
};

constexpr uint64_t kSeed = 2209'12152;

struct Chosen {
  int64_t image;
  std::string caption;
};

class ChosenCaptions : public Dataset {
 public:
  ChosenCaptions(std::shared_ptr<const Dataset> data, std::vector<Chosen> chosen)
      : data_(std::move(data)), chosen_(std::move(chosen)) {}

  int64_t size() const override { return static_cast<int64_t>(chosen_.size()); }
  int64_t image_size() const override { return data_->image_size(); }
  Tensor images(std::span<const int64_t> indices) const override {
    std::vector<int64_t> of_data;
    for (const int64_t i : indices) of_data.push_back(chosen_[i].image);
    return data_->images(of_data);
  }
  std::vector<std::string> captions(int64_t i) const override { return {chosen_[i].caption}; }
  std::string description() const override { return data_->description(); }

 private:
  std::shared_ptr<const Dataset> data_;
  std::vector<Chosen> chosen_;
};

std::string without_number(const std::string& label) {
  return label.substr(0, label.find("/n="));
}

}  // namespace

std::span<const Entry<Protocol>> protocols() {
  return kTable;
}

std::string protocol_label(const Entry<Protocol>& protocol, int64_t size, int64_t images) {
  std::string label(protocol.name);
  if (size != protocol.value.size) label += fmt::format("/size={}", size);
  if (images > 0 && images != protocol.value.images) label += fmt::format("/n={}", images);
  return label;
}

void expect_same_protocol(const std::string& a, const std::optional<std::string>& label_a, const std::string& b,
                          const std::optional<std::string>& label_b) {
  if (!label_a || !label_b || without_number(*label_a) == without_number(*label_b)) return;
  const auto text = [](const std::string& label) { return label.empty() ? "none" : label; };
  fail("protocols differ: {} has {}, {} has {}, so the distance would mean nothing; --force computes it all the same",
       a, text(*label_a), b, text(*label_b));
}

Spec protocol_data(const Entry<Protocol>& protocol, const Spec& given) {
  const Protocol& p = protocol.value;
  if (given.kind != p.data)
    fail("--protocol {}: '{}' is no {} data; expected {}:PATH", protocol.name, given.text(), p.data, p.data);
  Spec spec = given;
  const auto fix = [&](const char* name, std::string_view value) {
    if (const std::string own = given.get(name, std::string(value)); own != value)
      fail("--protocol {}: {}={} in '{}', but the protocol has {}={}", protocol.name, name, own, given.text(), name,
           value);
    spec.options[name] = std::string(value);
  };
  fix("split", p.split);
  fix("year", p.year);
  if (given.options.contains("limit"))
    fail("--protocol {}: all real images count, so '{}' must have no limit; --num sets how many are drawn",
         protocol.name, given.text());
  spec.options.try_emplace("size", std::to_string(p.size));
  return spec;
}

std::shared_ptr<const Dataset> chosen_captions(std::shared_ptr<const Dataset> data, int64_t count) {
  const int64_t size = data->size();
  std::vector<Chosen> chosen;
  for (int64_t round = 0; static_cast<int64_t>(chosen.size()) < count; ++round) {
    const size_t before = chosen.size();
    for (int64_t i = 0; i < size && static_cast<int64_t>(chosen.size()) < count; ++i) {
      const auto image = static_cast<int64_t>(shuffled(i, size, kSeed, round));
      const auto captions = data->captions(image);
      const auto n = static_cast<int64_t>(captions.size());
      if (round < n) chosen.push_back({image, captions[shuffled(round, n, kSeed, image)]});
    }
    if (chosen.size() == before) fail("the data have {} captions, {} are needed: give --num {}", before, count, before);
  }
  return std::make_shared<ChosenCaptions>(std::move(data), std::move(chosen));
}

}  // namespace uvic
