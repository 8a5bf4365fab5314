// Captions of pictures as a frozen text encoder reads them, for training.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "datasets/stream.h"
#include "encoders/text_encoder.h"

namespace uvic {

class CaptionStates {
 public:
  // Reads every distinct caption of `data` and the empty text once, `length` tokens each, and keeps the states as
  // float16: a caption of 24 states of width 384 takes 18 KiB. Error if there are no captions.
  CaptionStates(const Dataset& data, const TextEncoder& text, int64_t length);

  Tensor operator()(const std::string& caption) const;  // [length, D] float16; Error if it is not one of them

 private:
  std::unordered_map<std::string, int64_t> places_;
  Tensor states_;  // [captions, length, D]
};

// make_stream with states [B, N, D] float32 for captions; the states of "" where there is none, or it is dropped.
BatchAt make_caption_stream(std::shared_ptr<const Dataset> data, std::shared_ptr<const CaptionStates> states,
                            StreamConfig config);

}  // namespace uvic
