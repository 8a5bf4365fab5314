// The .npy layout: NumPy Enhancement Proposal 1 (versions 1 to 3).
#include "core/formats/npz.h"

#include <charconv>
#include <cstring>

#include "core/error.h"
#include "core/files.h"
#include "core/formats/numpy.h"
#include "core/formats/zip.h"

namespace uvic {
namespace {

constexpr std::string_view kMagic("\x93NUMPY", 6);
constexpr size_t kAlignment = 64;  // of the data behind the header, as NumPy pads it

struct Header {
  std::string dtype;
  bool fortran_order = false;
  std::vector<int64_t> shape;
  size_t data_at = 0;
};

// The header is a Python dict literal of three keys: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& what) : text_(text), what_(what) {}

  Header parse() {
    Header header;
    bool dtype = false, order = false, shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr") {
        if (next() == '[') fail("{} holds records (a structured dtype); save its fields as arrays of their own", what_);
        header.dtype = quoted(), dtype = true;
      } else if (key == "fortran_order") {
        header.fortran_order = boolean(), order = true;
      } else if (key == "shape") {
        header.shape = tuple(), shape = true;
      } else {
        damaged();
      }
      if (!accept(',') && next() != '}') damaged();
    }
    if (!dtype || !order || !shape) damaged();
    return header;
  }

 private:
  [[noreturn]] void damaged() const { fail("{} has a damaged .npy header: {}", what_, text_); }

  char next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    if (at_ == text_.size()) damaged();
    return text_[at_];
  }

  bool accept(char wanted) {
    if (next() != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!accept(wanted)) damaged();
  }

  std::string quoted() {
    const char quote = next();
    if (quote != '\'' && quote != '"') damaged();
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) damaged();
    const std::string content(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return content;
  }

  bool boolean() {
    next();
    const bool value = text_.substr(at_).starts_with("True");
    if (!value && !text_.substr(at_).starts_with("False")) damaged();
    at_ += value ? 4 : 5;
    return value;
  }

  std::vector<int64_t> tuple() {
    std::vector<int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      next();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) damaged();
      at_ = static_cast<size_t>(end - text_.data());
      if (!accept(',') && next() != ')') damaged();
      sizes.push_back(size);
    }
    return sizes;
  }

  std::string_view text_;
  const std::string& what_;
  size_t at_ = 0;
};

Header parse_header(std::string_view bytes, const std::string& what) {
  if (!bytes.starts_with(kMagic) || bytes.size() < 12) fail("{} is not a .npy array", what);
  const int version = bytes[6];
  if (version < 1 || version > 3) fail("{} has the unknown .npy version {}", what, version);
  uint32_t length = 0;
  const size_t width = version == 1 ? 2 : 4, begin = 8 + width;
  std::memcpy(&length, bytes.data() + 8, width);
  if (length > bytes.size() - begin) fail("{} is truncated", what);
  Header header = HeaderParser(bytes.substr(begin, length), what).parse();
  header.data_at = begin + length;
  return header;
}

bool is_text(const Header& header) {
  return header.dtype.find_first_of("US") == 1;
}

Tensor parse_array(std::string_view bytes, const Header& header, const std::string& what,
                   std::shared_ptr<void> owner = nullptr) {
  if (header.dtype.find('O') != std::string::npos)
    fail("{} is an array of pickled Python objects, which is not read; save numbers instead", what);
  const auto dtype = parse_numpy_dtype(header.dtype);
  if (!dtype) fail("{} has the dtype '{}', which a tensor cannot hold (numbers and bools only)", what, header.dtype);
  return numpy_array(bytes.substr(header.data_at), header.shape, *dtype, header.fortran_order, what, std::move(owner));
}

std::string make_header(const Tensor& array, const std::string& what) {
  const auto dtype = numpy_dtype_name(array.scalar_type());
  if (!dtype)
    fail("cannot write {}: NumPy has no dtype {}; convert it to float32", what, c10::toString(array.scalar_type()));
  std::string shape;
  for (const int64_t size : array.sizes()) shape += std::to_string(size) + ", ";
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", *dtype, shape);
  std::string header(kMagic);
  header += std::string_view("\1\0", 2);
  text.append((2 * kAlignment - (header.size() + 2 + text.size() + 1) % kAlignment) % kAlignment, ' ');
  text += '\n';
  const auto length = static_cast<uint16_t>(text.size());  // at most 64 sizes of 20 digits
  header.append(reinterpret_cast<const char*>(&length), sizeof(length));
  return header + text;
}

}  // namespace

TensorMap read_npz(const std::filesystem::path& path) {
  const ZipReader zip(path, ".npz file");
  TensorMap arrays;
  for (const auto& entry : zip.entries()) {
    if (!entry.name.ends_with(".npy")) continue;
    const std::string name = entry.name.substr(0, entry.name.size() - 4), what = path.string() + ": array " + name;
    const ZipBytes bytes = zip.read(entry);
    const Header header = parse_header(bytes.view(), what);
    if (!is_text(header)) arrays[name] = parse_array(bytes.view(), header, what, bytes.owner);
  }
  if (zip.entries().empty() || (arrays.empty() && zip.entries().front().name.find(".npy") == std::string::npos))
    fail("{} is a zip archive without NumPy arrays", path.string());
  return arrays;
}

Tensor read_npy(const std::filesystem::path& path) {
  const MappedFile file = map_file(path, ".npy file");
  const std::string what = path.string();
  return parse_array(file.bytes(), parse_header(file.bytes(), what), what);
}

void write_npz(const std::filesystem::path& path, const TensorMap& arrays, bool compressed) {
  std::map<std::string, std::string> headers;  // all made before the file is touched
  for (const auto& [name, array] : arrays) headers[name] = make_header(array, "array " + name);
  write_atomically(path, [&](std::ostream& out) {
    ZipWriter zip(out);
    for (const auto& [name, array] : arrays) {
      const Tensor dense = array.detach().cpu().contiguous();
      zip.add(name + ".npy",
              {headers[name], std::string_view(static_cast<const char*>(dense.data_ptr()), dense.nbytes())},
              compressed);
    }
    zip.finish();
  });
}

}  // namespace uvic
