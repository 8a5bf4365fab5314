// Protocols: everything beside the model that changes a score, fixed under a name, so that two numbers can be compared.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/cli/sample_config.h"
#include "core/registry.h"
#include "datasets/dataset.h"

namespace uvic {

struct Protocol {
  std::string_view data, split, year;  // kind and options of the SPEC of the real images, all of which count
  int64_t size;                        // pixels they are cropped and scaled to
  int64_t images;                      // drawn from the model, with captions of that many of the real images
  SampleConfig settings;
  std::string_view resize;  // a row of resize_modes()
};
std::span<const Entry<Protocol>> protocols();

// The name, and what differs from the protocol and makes it another number: "coco30k-val2014/size=32/n=500".
// `images` 0: nothing drawn, real images only.
std::string protocol_label(const Entry<Protocol>& protocol, int64_t size, int64_t images);

// Error unless the labels agree but for the number of images; "" is no protocol, and nothing is not known, as of files
// of other programs, which agree with all. `a` and `b` name what they belong to.
void expect_same_protocol(const std::string& a, const std::optional<std::string>& label_a, const std::string& b,
                          const std::optional<std::string>& label_b);

// `given` with the protocol's split, year, and, if it says none, size. Error if it names another kind, split or year,
// or a limit.
Spec protocol_data(const Entry<Protocol>& protocol, const Spec& given);

// `count` images of `data` in a fixed order with one caption each: no image comes a second time before all have come
// once, and then with another of its captions. Error if there are fewer captions.
std::shared_ptr<const Dataset> chosen_captions(std::shared_ptr<const Dataset> data, int64_t count);

}  // namespace uvic
