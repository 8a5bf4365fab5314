#include "core/formats/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/crc32c.h"
#include "core/formats/raw_tensor.h"

static_assert(std::endian::native == std::endian::little, "tensors in files are little-endian and used in place");

namespace uvic {
namespace {

using nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMaxHeader = 100'000'000;  // as the format's own reader
constexpr size_t kAlignment = 64;
constexpr size_t kMostLevels = 8;          // the format has three
constexpr size_t kMostValues = 3'000'000;  // numbers, texts, names: seven a tensor
constexpr const char *kMetadata = "__metadata__", *kChecksum = "uvic.crc32c", *kNoSum = "00000000";

struct DtypeName {
  std::string_view name;
  at::ScalarType dtype;
};
constexpr std::array<DtypeName, 14> kDtypes = {{{"F64", at::kDouble},
                                                {"F32", at::kFloat},
                                                {"F16", at::kHalf},
                                                {"BF16", at::kBFloat16},
                                                {"I64", at::kLong},
                                                {"I32", at::kInt},
                                                {"I16", at::kShort},
                                                {"I8", at::kChar},
                                                {"U64", at::kUInt64},
                                                {"U32", at::kUInt32},
                                                {"U16", at::kUInt16},
                                                {"U8", at::kByte},
                                                {"BOOL", at::kBool},
                                                {"C64", at::kComplexFloat}}};

struct Entry {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  uint64_t begin, end;  // offsets into the data, checked against its size
};

struct Header {
  std::vector<Entry> entries;  // ordered by position
  std::map<std::string, std::string> metadata;
  size_t data_begin;
  std::string checksum;  // empty: there is none
  uint32_t own_sum = 0;  // of the header without the checksum
};

// What the header says, however it is written down: a program that copies a file may lay out the same JSON otherwise.
uint32_t sum_of_header(json root) {
  if (root.contains(kMetadata)) root[kMetadata].erase(kChecksum);
  if (root.contains(kMetadata) && root[kMetadata].empty()) root.erase(kMetadata);
  return crc32c(root.dump());
}

std::string as_text(uint32_t sum) {
  return fmt::format("{:08x}", sum);
}

// Sees a header go by before anything is kept of it: a value takes many times the memory of its text, and of two of a
// name the parser would keep the last.
class HeaderCheck final : public nlohmann::json_sax<json> {
 public:
  explicit HeaderCheck(const std::string& file) : file_(file) {}

  bool null() override { return count(); }
  bool boolean(bool) override { return count(); }
  bool number_integer(number_integer_t) override { return count(); }
  bool number_unsigned(number_unsigned_t) override { return count(); }
  bool number_float(number_float_t, const string_t&) override { return count(); }
  bool string(string_t&) override { return count(); }
  bool binary(binary_t&) override { return count(); }
  bool start_object(size_t) override { return open(); }
  bool start_array(size_t) override { return open(); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (!keys_.back().insert(name).second) fail("{}: the header names '{}' twice", file_, name);
    return count();
  }
  bool parse_error(size_t, const std::string&, const nlohmann::json::exception& error) override {
    fail("{} is not a safetensors file: its header is not JSON ({})", file_, error.what());
  }

 private:
  bool count() {
    if (++values_ > kMostValues) fail("{}: the header has more than {} values", file_, kMostValues);
    return true;
  }
  bool open() {
    keys_.emplace_back();
    if (keys_.size() > kMostLevels) fail("{}: the header has more than {} levels of nesting", file_, kMostLevels);
    return count();
  }
  bool close() {
    keys_.pop_back();
    return true;
  }

  const std::string& file_;
  std::vector<std::set<std::string>> keys_;  // seen so far, one set per open object or array
  size_t values_ = 0;
};

json parse_json(std::string_view text, const std::string& file) {
  HeaderCheck check(file);
  json::sax_parse(text, &check);
  return json::parse(text);
}

uint64_t unsigned_number(const json& value, const std::string& file, const std::string& name, const char* what) {
  if (!value.is_number_unsigned()) fail("{}: {} of '{}' is not a whole number >= 0", file, what, name);
  return value.get<uint64_t>();
}

Entry parse_entry(const std::string& name, const json& info, uint64_t data_size, const std::string& file) {
  if (!info.is_object() || !info.contains("dtype") || !info.contains("shape") || !info.contains("data_offsets"))
    fail("{}: tensor '{}' needs dtype, shape and data_offsets", file, name);
  const json &dtype_name = info["dtype"], &shape = info["shape"], &offsets = info["data_offsets"];
  if (!dtype_name.is_string() || !shape.is_array() || !offsets.is_array() || offsets.size() != 2)
    fail("{}: dtype, shape or data_offsets of tensor '{}' are malformed", file, name);

  const auto row = std::find_if(kDtypes.begin(), kDtypes.end(),
                                [&](const DtypeName& d) { return d.name == dtype_name.get_ref<const std::string&>(); });
  if (row == kDtypes.end())
    fail(
        "{}: tensor '{}' has the dtype {}, which is not supported (known: F64, F32, F16, BF16, I64 to I8, U64 to U8, "
        "BOOL, C64)",
        file, name, dtype_name.get<std::string>());

  Entry entry{name, row->dtype, {}, 0, 0};
  for (const json& size : shape)
    entry.shape.push_back(static_cast<int64_t>(unsigned_number(size, file, name, "a size")));
  const auto bytes = count_bytes(entry.shape, entry.dtype);
  if (!bytes) fail("{}: the shape {} of tensor '{}' is too large", file, shape.dump(), name);

  entry.begin = unsigned_number(offsets[0], file, name, "an offset");
  entry.end = unsigned_number(offsets[1], file, name, "an offset");
  if (entry.begin > entry.end || entry.end > data_size)
    fail("{}: tensor '{}' has the offsets {} but the data has {} bytes (is the file truncated?)", file, name,
         offsets.dump(), data_size);
  if (entry.end - entry.begin != static_cast<uint64_t>(*bytes))
    fail("{}: tensor '{}' of shape {} and dtype {} needs {} bytes, its offsets hold {}", file, name, shape.dump(),
         row->name, *bytes, entry.end - entry.begin);
  return entry;
}

Header parse_header(std::string_view bytes, const std::string& file) {
  uint64_t length = 0;
  if (bytes.size() < kLengthBytes) fail("{} is not a safetensors file: it has only {} bytes", file, bytes.size());
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeader || length > bytes.size() - kLengthBytes)
    fail("{} is not a safetensors file, or is truncated: its header would have {} bytes, the file has {}", file, length,
         bytes.size());

  Header header;
  header.data_begin = kLengthBytes + length;
  const uint64_t data_size = bytes.size() - header.data_begin;
  const json root = parse_json(bytes.substr(kLengthBytes, length), file);
  if (!root.is_object()) fail("{} is not a safetensors file: its header is not a JSON object", file);
  for (const auto& [name, info] : root.items()) {
    if (name != kMetadata) {
      header.entries.push_back(parse_entry(name, info, data_size, file));
      continue;
    }
    if (!info.is_object()) fail("{}: __metadata__ is not an object", file);
    for (const auto& [key, text] : info.items()) {
      if (!text.is_string()) fail("{}: the metadata entry '{}' is not a string", file, key);
      header.metadata[key] = text;
    }
  }

  if (auto found = header.metadata.extract(kChecksum); !found.empty()) {
    header.checksum = found.mapped();
    header.own_sum = sum_of_header(root);
  }

  std::sort(header.entries.begin(), header.entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  uint64_t covered = 0;
  for (const Entry& entry : header.entries) {
    if (entry.begin != covered)
      fail("{}: tensor '{}' starts at byte {} of the data where {} was expected ({})", file, entry.name, entry.begin,
           covered, entry.begin < covered ? "it overlaps another" : "there is a gap");
    covered = entry.end;
  }
  if (covered != data_size)
    fail("{}: the tensors fill {} bytes but the file holds {} bytes of data", file, covered, data_size);
  return header;
}

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  const MappedFile mapped = map_file(path, "safetensors file");
  const Header header = parse_header(mapped.bytes(), path.string());
  const std::string_view data = mapped.bytes().substr(header.data_begin);
  if (!header.checksum.empty())
    if (const std::string sum = as_text(crc32c(data, header.own_sum)); sum != header.checksum)
      fail("{} is damaged: its checksum is {}, and {} is written in it: fetch it again or take another copy",
           path.string(), sum, header.checksum);
  TensorFile file{{}, header.metadata};
  for (const Entry& entry : header.entries) {
    char* data = mapped.data.get() + header.data_begin + entry.begin;
    if (!has_valid_bools(data, static_cast<int64_t>(entry.end - entry.begin), entry.dtype))
      fail("{}: tensor '{}' holds bools other than 0 and 1", path.string(), entry.name);
    file.tensors[entry.name] = tensor_over(data, entry.shape, entry.dtype, mapped.data);
  }
  return file;
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file, Checksum checksum) {
  std::vector<std::pair<std::string, Tensor>> ordered;
  json header = json::object();
  if (!file.metadata.empty()) header[kMetadata] = file.metadata;
  for (const auto& [name, tensor] : file.tensors) {
    if (name == kMetadata) fail("a tensor cannot be called __metadata__ in {}", path.string());
    ordered.emplace_back(name, tensor.detach());
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto& a, const auto& b) { return a.second.element_size() > b.second.element_size(); });

  uint64_t offset = 0;
  for (const auto& [name, tensor] : ordered) {
    const auto row = std::find_if(kDtypes.begin(), kDtypes.end(),
                                  [type = tensor.scalar_type()](const DtypeName& d) { return d.dtype == type; });
    if (row == kDtypes.end())
      fail("cannot write {}: safetensors has no dtype for tensor '{}' ({})", path.string(), name,
           c10::toString(tensor.scalar_type()));
    const uint64_t end = offset + static_cast<uint64_t>(tensor.numel() * tensor.element_size());
    header[name] = {{"dtype", row->name}, {"shape", tensor.sizes().vec()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text;
  uint32_t sum = 0;
  try {
    if (checksum == Checksum::kCrc32c) {
      sum = sum_of_header(header);
      header[kMetadata][kChecksum] = kNoSum;
    }
    text = header.dump();
  } catch (const json::exception&) {
    fail("cannot write {}: a name or a metadata entry is not UTF-8", path.string());
  }
  const size_t used = (kLengthBytes + text.size()) % kAlignment;
  text.append((kAlignment - used) % kAlignment, ' ');  // the format allows trailing spaces
  const std::string entry = fmt::format("\"{}\":\"", kChecksum);

  write_atomically(path, [&](std::ostream& out) {
    const uint64_t length = text.size();
    out.write(reinterpret_cast<const char*>(&length), kLengthBytes);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const auto& [name, tensor] : ordered) {
      const Tensor dense = tensor.cpu().contiguous();  // one at a time: no second copy of the whole model
      const std::string_view bytes(static_cast<const char*>(dense.nbytes() > 0 ? dense.data_ptr() : nullptr),
                                   dense.nbytes());
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      if (checksum == Checksum::kCrc32c) sum = crc32c(bytes, sum);
    }
    if (checksum == Checksum::kNone) return;
    out.seekp(static_cast<std::streamoff>(kLengthBytes + text.find(entry) + entry.size()));
    out << as_text(sum);
  });
}

}  // namespace uvic
