// Captions of pictures as a frozen text encoder reads them, for training.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "app/training/training_source.h"
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

// make_stream with states [B, N, D] float32 for captions; those of "" where there is no caption, or it is dropped.
BatchAt make_caption_stream(std::shared_ptr<const Dataset> data, std::shared_ptr<const CaptionStates> states,
                            StreamConfig config);

// The row "states": data.text_encoder reads the captions. Error if it does not fit the model.
TrainingSource source_of_states(RunConfig& config, std::shared_ptr<const Dataset> data,
                                const std::optional<Vocabulary>& known = {});

}  // namespace uvic
