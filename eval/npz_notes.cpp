#include "eval/npz_notes.h"

#include <algorithm>

namespace uvic {
namespace {

constexpr std::string_view kNotePrefix = "note_";

Tensor bytes_of(const std::string& text) {
  const Tensor bytes = at::empty({static_cast<int64_t>(text.size())}, at::kByte);
  std::copy(text.begin(), text.end(), bytes.data_ptr<uint8_t>());
  return bytes;
}

std::string text_of(const Tensor& bytes) {
  const Tensor packed = bytes.contiguous();
  return {reinterpret_cast<const char*>(packed.data_ptr<uint8_t>()), static_cast<size_t>(packed.numel())};
}

}  // namespace

void add_notes(TensorMap& arrays, const std::map<std::string, std::string>& notes) {
  for (const auto& [name, text] : notes) arrays[std::string(kNotePrefix) + name] = bytes_of(text);
}

std::map<std::string, std::string> notes_in(const TensorMap& arrays) {
  std::map<std::string, std::string> notes;
  for (const auto& [name, array] : arrays)
    if (name.starts_with(kNotePrefix) && array.scalar_type() == at::kByte)
      notes[name.substr(kNotePrefix.size())] = text_of(array);
  return notes;
}

}  // namespace uvic
