#include "core/pickle/pth.h"

#include <fmt/ranges.h>

#include <array>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/raw_tensor.h"
#include "core/formats/safetensors_index.h"
#include "core/formats/weight_names.h"
#include "core/formats/zip.h"
#include "core/pickle/pth_objects.h"

namespace uvic {
namespace {

constexpr std::string_view kZipMagic("PK\3\4", 4);
// LONG1 of the number that starts a legacy file, behind the two bytes of the protocol.
constexpr std::string_view kLegacyMagic("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13);
constexpr size_t kProtocolBytes = 2;

bool is_legacy(std::string_view bytes) {
  return bytes.size() > kProtocolBytes && bytes.substr(kProtocolBytes).starts_with(kLegacyMagic);
}

// What a persistent id says: ("storage", type, key, device, elements, ...)
struct StorageId {
  at::ScalarType dtype;
  std::string key;
  int64_t elements;
};

StorageId parse_storage_id(const PickleValue& id) {
  const auto& fields = id.list("a persistent id");
  if (fields.size() < 5 || fields[0].text("a persistent id's kind") != "storage")
    fail("a persistent id is not that of a storage (a whole model was pickled? save its state_dict instead)");
  const auto* type = std::get_if<PickleGlobal>(&fields[1].value);
  if (!type) fail("a storage has no type");
  StorageId storage{storage_dtype(*type), fields[2].text("a storage's key"), fields[4].integer("a storage's size")};
  if (storage.elements < 0 || !count_bytes(std::array{storage.elements}, storage.dtype))
    fail("storage {} has the impossible size {}", storage.key, storage.elements);
  return storage;
}

void check_bools(const Tensor& storage, const std::string& key) {
  if (!has_valid_bools(static_cast<const char*>(storage.data_ptr()), storage.numel(), storage.scalar_type()))
    fail("storage {} holds bools other than 0 and 1", key);
}

PickleValue read_zip(const std::filesystem::path& path) {
  const ZipReader zip(path, "PyTorch file");
  const std::string file = path.string();
  // Every entry lies in one folder, whose name is up to the writer.
  std::string folder;
  for (const auto& entry : zip.entries())
    if (entry.name.ends_with("/data.pkl")) folder = entry.name.substr(0, entry.name.size() - 8);
  const ZipEntry* pickle = zip.find(folder + "data.pkl");
  if (!pickle) fail("{} is a zip archive without a data.pkl: not a file of torch.save", file);
  if (const ZipEntry* order = zip.find(folder + "byteorder"); order && zip.read(*order).view() != "little")
    fail("{} was saved on a big-endian machine; load and save it again in Python on a common one", file);

  std::map<std::string, Tensor> storages;
  const auto persistent = [&](const PickleValue& id) -> PickleValue {
    const StorageId wanted = parse_storage_id(id);
    if (const auto known = storages.find(wanted.key); known != storages.end()) {
      if (known->second.scalar_type() != wanted.dtype) fail("storage {} is used with two dtypes", wanted.key);
      return {known->second};
    }
    const ZipEntry* entry = zip.find(folder + "data/" + wanted.key);
    if (!entry) fail("storage {} is missing", wanted.key);
    const ZipBytes bytes = zip.read(*entry);
    const auto expected = *count_bytes(std::array{wanted.elements}, wanted.dtype);
    if (bytes.size != static_cast<uint64_t>(expected))
      fail("storage {} has {} bytes instead of {}", wanted.key, bytes.size, expected);
    const Tensor storage = tensor_over(bytes.data, std::array{wanted.elements}, wanted.dtype, bytes.owner);
    check_bools(storage, wanted.key);
    return {storages[wanted.key] = storage};
  };
  const PickleValue value = read_pickle(zip.read(*pickle).view(), file, torch_hooks(persistent));
  if (auto tensors = flatten_torchscript(value)) return {tensors};
  return value;
}

// Magic number, protocol version, system information, the value, the keys of its storages: five pickles in a row; then
// each storage as an int64 count and its elements. The value's tensors exist before their bytes are reached.
PickleValue read_legacy(const std::filesystem::path& path) {
  const MappedFile mapped = map_file(path, "PyTorch file");
  const std::string file = path.string();
  std::string_view rest = mapped.bytes().substr(kProtocolBytes + kLegacyMagic.size());
  std::map<std::string, Tensor> storages;
  uint64_t allocated = 0;
  const auto persistent = [&](const PickleValue& id) -> PickleValue {
    const StorageId wanted = parse_storage_id(id);
    const auto& fields = id.list("a persistent id");
    if (fields.size() > 5 && !fields[5].is_none())
      fail("storage {} is a view of another one, as PyTorch before 0.4 wrote them; save the file again", wanted.key);
    if (const auto known = storages.find(wanted.key); known != storages.end()) {
      if (known->second.scalar_type() != wanted.dtype) fail("storage {} is used with two dtypes", wanted.key);
      return {known->second};
    }
    allocated += static_cast<uint64_t>(*count_bytes(std::array{wanted.elements}, wanted.dtype));
    if (allocated > mapped.size) fail("is truncated: its storages need {} bytes, it has {}", allocated, mapped.size);
    return {storages[wanted.key] = at::empty({wanted.elements}, wanted.dtype)};
  };
  const PickleHooks hooks = torch_hooks(persistent);
  const auto next = [&] {
    size_t length = 0;
    PickleValue value = read_pickle(rest, file, hooks, &length);
    rest.remove_prefix(length);
    return value;
  };
  next();  // the protocol version, always 1001
  const PickleValue system = next();
  const PickleValue* little = find(system.dict(file + ": the system information"), "little_endian");
  if (little && little->integer(file + ": little_endian") == 0)
    fail("{} was saved on a big-endian machine; load and save it again in Python on a common one", file);
  PickleValue value = next();
  const PickleValue keys = next();
  for (const auto& item : keys.list(file + ": the storage keys")) {
    const std::string& key = item.text(file + ": a storage's key");
    const auto storage = storages.find(key);
    if (storage == storages.end()) fail("{}: storage {} belongs to no tensor", file, key);
    Tensor& elements = storage->second;
    int64_t count = 0;
    if (rest.size() < sizeof(count)) fail("{} is truncated before storage {}", file, key);
    std::memcpy(&count, rest.data(), sizeof(count));
    rest.remove_prefix(sizeof(count));
    if (count != elements.numel()) fail("{}: storage {} has {} elements, not {}", file, key, count, elements.numel());
    if (rest.size() < elements.nbytes()) fail("{} is truncated in storage {}", file, key);
    if (elements.nbytes() > 0) std::memcpy(elements.data_ptr(), rest.data(), elements.nbytes());
    rest.remove_prefix(elements.nbytes());
    check_bools(elements, fmt::format("{} of {}", key, file));
    storages.erase(storage);
  }
  if (!storages.empty()) fail("{} lacks storage {}", file, storages.begin()->first);
  return value;
}

enum class Kind { kSafetensors, kShards, kZip, kLegacy };

Kind kind_of(const std::filesystem::path& path) {
  const MappedFile mapped = map_file(path, "weights file");
  const std::string_view bytes = mapped.bytes();
  const std::string file = path.string();
  if (bytes.empty()) fail("{} is empty", file);
  if (bytes.starts_with(kZipMagic)) return Kind::kZip;
  if (is_legacy(bytes)) return Kind::kLegacy;
  if (bytes.size() > 8 && bytes[8] == '{') return Kind::kSafetensors;
  if (file.ends_with(".index.json")) return Kind::kShards;
  if (bytes.starts_with("version https://git-lfs"))
    fail("{} is a git-lfs pointer, not the weights: fetch them with `git lfs pull`", file);
  const size_t text = bytes.find_first_not_of(" \r\n\t");
  if (text != std::string_view::npos && bytes[text] == '<')
    fail("{} is a web page, not weights: the download went wrong", file);
  if (bytes.starts_with("\x1f\x8b")) fail("{} is compressed with gzip; unpack it first", file);
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar")
    fail("{} is a tar archive (unpack it; if it is a PyTorch file of before 0.2, save it again)", file);
  fail(
      "{} is no weights file that uvic knows (.safetensors, PyTorch's .pth or TorchScript's .pt), or its start is "
      "damaged",
      file);
}

constexpr std::string_view kContainers[] = {
    "ema", "ema_model", "model_ema", "ema_state_dict", "state_dict", "model_state_dict", "model", "module", "params"};

// The dict among the usual wrappings, one in another, that holds the tensors; null: there is none.
const PickleDict* tensors_in(const PickleDict& dict, int depth = 0) {
  constexpr int kDeepest = 4;  // a dict may hold itself
  for (const std::string_view key : kContainers) {
    const PickleValue* inner = depth < kDeepest ? find(dict, key) : nullptr;
    if (!inner || !inner->is_dict()) continue;
    if (const PickleDict* found = tensors_in(inner->dict(""), depth + 1)) return found;
  }
  for (const auto& [key, entry] : dict)
    if (entry.is_tensor()) return &dict;
  return nullptr;
}

const PickleDict& state_dict_in(const PickleValue& value, const std::string& file) {
  const PickleDict& top = value.dict(file + ": the saved value");
  if (const PickleDict* found = tensors_in(top)) return *found;
  std::string keys;
  for (const auto& [key, entry] : top)
    if (const auto* text = std::get_if<std::string>(&key.value); text && keys.size() < 200) keys += " " + *text;
  fail("{} holds no tensors: neither itself nor under {} (its keys:{})", file, fmt::join(kContainers, ", "),
       keys.empty() ? " none" : keys);
}

}  // namespace

PickleValue read_pth(const std::filesystem::path& path) {
  const Kind kind = kind_of(path);
  if (kind == Kind::kSafetensors || kind == Kind::kShards)
    fail("{} is a safetensors file, not one of PyTorch's", path.string());
  return kind == Kind::kZip ? read_zip(path) : read_legacy(path);
}

TensorMap read_state_dict(const std::filesystem::path& path) {
  const PickleValue value = read_pth(path);
  const std::string file = path.string();
  TensorMap tensors;
  for (const auto& [key, entry] : state_dict_in(value, file))
    if (entry.is_tensor()) tensors[key.text(file + ": a tensor's name")] = entry.tensor("");  // others: counters
  return without_wrappers(std::move(tensors));
}

TensorFile read_weights(const std::filesystem::path& path) {
  const Kind kind = kind_of(path);
  if (kind == Kind::kZip || kind == Kind::kLegacy) return {read_state_dict(path), {}};
  TensorFile file = kind == Kind::kSafetensors ? read_safetensors(path) : read_sharded_safetensors(path);
  file.tensors = without_wrappers(std::move(file.tensors));
  return file;
}

}  // namespace uvic
