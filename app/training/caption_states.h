// Captions of pictures as a frozen text encoder reads them, for training.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "app/cli/run_config.h"
#include "datasets/stream.h"
#include "encoders/text_encoder.h"

namespace uvic {

class CaptionStates {
 public:
  // Reads every distinct caption of `data` and the empty text once, `length` tokens each, and keeps the states as
  // float16: a caption of 24 states of width 384 takes 18 KiB. Error if there are no captions; Interrupted after
  // Ctrl-C.
  CaptionStates(const Dataset& data, const TextEncoder& text, int64_t length);

  Tensor operator()(const std::string& caption) const;     // [length, D] float16, of one of them
  const std::string& encoder() const { return encoder_; }  // fingerprint

 private:
  std::string encoder_;
  std::unordered_map<std::string, int64_t> places_;
  Tensor states_;  // [captions, length, D]
};

// The captions of the data as the model's text encoder, data.text_encoder, reads them. Error if it does not fit the
// model.
std::shared_ptr<const CaptionStates> read_captions(const Dataset& data, const RunConfig& config);

// make_stream with states [B, N, D] float32 for captions; those of "" where there is no caption, or it is dropped.
BatchAt make_caption_stream(std::shared_ptr<const Dataset> data, std::shared_ptr<const CaptionStates> states,
                            StreamConfig config);

}  // namespace uvic
