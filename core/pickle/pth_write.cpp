// The pickle of an OrderedDict of tensors, written opcode by opcode as Python's protocol 2 would.
#include <bit>

#include "core/error.h"
#include "core/formats/zip.h"
#include "core/pickle/pth.h"
#include "core/pickle/pth_objects.h"

namespace uvic {
namespace {

constexpr size_t kAlignment = 64;  // as torch.save's

template <class T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

void append_text(std::string& out, std::string_view text) {
  out += 'X';  // BINUNICODE
  append(out, static_cast<uint32_t>(text.size()));
  out += text;
}

void append_integer(std::string& out, int64_t value) {
  out += "\x8a\x08";  // LONG1 of 8 bytes
  append(out, value);
}

void append_real(std::string& out, double value) {
  out += 'G';  // BINFLOAT, the highest byte first
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(std::bit_cast<uint64_t>(value) >> shift);
}

void append_tuple(std::string& out, at::IntArrayRef values) {
  out += '(';
  for (const int64_t value : values) append_integer(out, value);
  out += 't';
}

// What torch.load's persistent_load expects, then the arguments of _rebuild_tensor_v2; dtypes without a storage class
// of their own go as bytes with _rebuild_tensor_v3.
void append_tensor(std::string& out, const Tensor& tensor, const std::string& key) {
  const std::string storage = storage_name(tensor.scalar_type());
  const bool typed = !storage.empty();
  out += typed ? "ctorch._utils\n_rebuild_tensor_v2\n" : "ctorch._utils\n_rebuild_tensor_v3\n";
  out += "((";
  append_text(out, "storage");
  out += typed ? "ctorch\n" + storage + "\n" : "ctorch.storage\nUntypedStorage\n";
  append_text(out, key);
  append_text(out, "cpu");
  append_integer(out, tensor.numel() * (typed ? 1 : tensor.element_size()));
  out += "tQ";  // BINPERSID
  append_integer(out, 0);
  append_tuple(out, tensor.sizes());
  append_tuple(out, tensor.strides());
  out +=
      "\x89"
      "ccollections\nOrderedDict\n)R";  // requires_grad, backward hooks
  if (!typed) out += "ctorch\n" + dtype_name(tensor.scalar_type()) + "\n";
  out += "tR";
}

constexpr std::string_view kProtocol2 = "\x80\x02", kOrderedDict = "ccollections\nOrderedDict\n)R(";

std::string state_dict(const TensorMap& tensors, const std::filesystem::path& path) {
  std::string pickle(kOrderedDict);
  size_t key = 0;
  for (const auto& [name, tensor] : tensors) {
    if (dtype_name(tensor.scalar_type()).empty())
      fail("cannot write {}: tensor '{}' has the dtype {}", path.string(), name, c10::toString(tensor.scalar_type()));
    append_text(pickle, name);
    // The shape alone: the strides of a dense tensor of this size.
    append_tensor(pickle, at::empty(tensor.sizes(), tensor.options().device(at::kMeta)), std::to_string(key++));
  }
  return pickle += 'u';
}

void write_file(const std::filesystem::path& path, const std::string& pickle, const TensorMap& tensors) {
  write_atomically(path, [&](std::ostream& out) {
    const std::string folder = path.stem().string() + "/";
    ZipWriter zip(out);
    zip.add(folder + "data.pkl", {pickle}, false, kAlignment);
    zip.add(folder + "byteorder", {"little"}, false, kAlignment);
    size_t entry = 0;
    for (const auto& [name, tensor] : tensors) {
      const Tensor dense = tensor.detach().cpu().contiguous();
      zip.add(folder + "data/" + std::to_string(entry++),
              {std::string_view(static_cast<const char*>(dense.data_ptr()), dense.nbytes())}, false, kAlignment);
    }
    zip.add(folder + "version", {"3\n"}, false, kAlignment);
    zip.finish();
  });
}

}  // namespace

void write_pth(const std::filesystem::path& path, const TensorMap& tensors) {
  write_file(path, std::string(kProtocol2) + state_dict(tensors, path) + '.', tensors);
}

void write_pth(const std::filesystem::path& path, const TensorMap& tensors, const PthConfig& config) {
  std::string pickle = std::string(kProtocol2) + "}(";
  append_text(pickle, config.name);
  pickle += "}(";
  for (const auto& [name, value] : config.values) {
    append_text(pickle, name);
    if (const auto* const whole = std::get_if<int64_t>(&value)) append_integer(pickle, *whole);
    if (const auto* const real = std::get_if<double>(&value)) append_real(pickle, *real);
    if (const auto* const text = std::get_if<std::string>(&value)) append_text(pickle, *text);
  }
  pickle += 'u';
  append_text(pickle, "model");
  write_file(path, pickle + state_dict(tensors, path) + "u.", tensors);
}

}  // namespace uvic
