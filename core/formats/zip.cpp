// The record layouts are those of PKWARE's APPNOTE 6.3: local header 4.3.7, central directory 4.3.12, its
// end 4.3.14-16, zip64 sizes 4.5.3. All numbers are little-endian.
#include "core/formats/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "core/formats/unpacking.h"

namespace uvic {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;
constexpr uint64_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocatorSize = 20;
constexpr uint16_t kStored = 0, kDeflated = 8, kEncrypted = 1, kUtf8Names = 1 << 11;
constexpr uint16_t kZip64Extra = 1, kPaddingExtra = 0x4246;  // "FB", as PyTorch marks its padding
constexpr uint32_t kFull32 = 0xFFFFFFFF;
constexpr uint16_t kFull16 = 0xFFFF;
constexpr uint16_t kDate = 0x21;          // 1980-01-01
constexpr uint64_t kLargestRatio = 1032;  // of DEFLATE: 258 bytes from two bits

template <class T>
T number_at(std::string_view bytes, uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

template <class T>
void append(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

struct Directory {
  uint64_t count, size, at;
};

Directory find_directory(std::string_view file, const std::string& name) {
  const auto damaged = [&]() { fail("{} is truncated or not a zip archive: it has no list of contents", name); };
  if (file.size() < kEndSize) damaged();
  uint64_t end = file.size() - kEndSize;
  const uint64_t lowest = end > kFull16 ? end - kFull16 : 0;  // the comment behind it has at most 65535 bytes
  while (number_at<uint32_t>(file, end) != kEnd || number_at<uint16_t>(file, end + 20) != file.size() - end - kEndSize)
    if (end-- == lowest) damaged();
  Directory directory{number_at<uint16_t>(file, end + 10), number_at<uint32_t>(file, end + 12),
                      number_at<uint32_t>(file, end + 16)};
  if (end >= kLocatorSize && number_at<uint32_t>(file, end - kLocatorSize) == kLocator64) {
    const auto at = number_at<uint64_t>(file, end - kLocatorSize + 8);
    if (file.size() < kEnd64Size || at > file.size() - kEnd64Size || number_at<uint32_t>(file, at) != kEnd64) damaged();
    directory = {number_at<uint64_t>(file, at + 32), number_at<uint64_t>(file, at + 40),
                 number_at<uint64_t>(file, at + 48)};
  }
  if (directory.at > end || directory.size > end - directory.at || directory.count > directory.size / kCentralSize)
    damaged();
  return directory;
}

// The 64-bit values of those fields that are full in the 32-bit record, in the record's order. False if one is missing.
bool read_zip64(std::string_view extra, std::initializer_list<uint64_t*> fields) {
  while (extra.size() >= 4) {
    const auto id = number_at<uint16_t>(extra, 0), length = number_at<uint16_t>(extra, 2);
    if (length > extra.size() - 4) break;
    std::string_view values = extra.substr(4, length);
    extra.remove_prefix(4 + length);
    if (id != kZip64Extra) continue;
    for (uint64_t* field : fields) {
      if (*field != kFull32) continue;
      if (values.size() < 8) return false;
      *field = number_at<uint64_t>(values, 0);
      values.remove_prefix(8);
    }
    return true;
  }
  return std::none_of(fields.begin(), fields.end(), [](const uint64_t* field) { return *field == kFull32; });
}

void inflate_all(std::string_view packed, char* out, uint64_t size, const std::string& what) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  constexpr uint64_t kChunk = 1u << 30;  // zlib counts in 32 bits
  int status = Z_OK;
  uint64_t read = 0, written = 0;
  while (status == Z_OK) {
    const uint64_t input = std::min<uint64_t>(packed.size() - read, kChunk), room = std::min(size - written, kChunk);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + read));
    stream.avail_in = static_cast<uInt>(input);
    stream.next_out = reinterpret_cast<Bytef*>(out + written);
    stream.avail_out = static_cast<uInt>(room);
    status = inflate(&stream, Z_NO_FLUSH);
    read += input - stream.avail_in;
    written += room - stream.avail_out;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || written != size) fail("{} is damaged: it does not unpack to {} bytes", what, size);
}

std::string deflate_all(std::initializer_list<std::string_view> parts) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  std::string packed;
  std::vector<char> buffer(1 << 16);
  const auto feed = [&](std::string_view part, int flush) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream.avail_in = static_cast<uInt>(part.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream, flush);
      packed.append(buffer.data(), buffer.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  constexpr size_t kChunk = size_t{1} << 30;
  for (std::string_view part : parts)
    for (; !part.empty(); part.remove_prefix(std::min(part.size(), kChunk))) feed(part.substr(0, kChunk), Z_NO_FLUSH);
  feed({}, Z_FINISH);
  deflateEnd(&stream);
  return packed;
}

}  // namespace

ZipReader::ZipReader(const std::filesystem::path& path, std::string_view what)
    : name_(path.string()), file_(map_file(path, what)) {
  const std::string_view file = file_.bytes();
  const Directory directory = find_directory(file, name_);
  std::string_view rest = file.substr(directory.at, directory.size);
  uint64_t packed = 0;
  for (uint64_t i = 0; i < directory.count; ++i) {
    const auto damaged = [&]() { fail("{} is damaged: its list of contents breaks off at entry {}", name_, i); };
    if (rest.size() < kCentralSize || number_at<uint32_t>(rest, 0) != kCentral) damaged();
    const uint64_t name = number_at<uint16_t>(rest, 28), extra = number_at<uint16_t>(rest, 30),
                   comment = number_at<uint16_t>(rest, 32);
    if (rest.size() - kCentralSize < name + extra + comment) damaged();
    ZipEntry entry{std::string(rest.substr(kCentralSize, name)),
                   number_at<uint16_t>(rest, 8),
                   number_at<uint16_t>(rest, 10),
                   number_at<uint32_t>(rest, 16),
                   number_at<uint32_t>(rest, 20),
                   number_at<uint32_t>(rest, 24),
                   number_at<uint32_t>(rest, 42)};
    if (!read_zip64(rest.substr(kCentralSize + name, extra), {&entry.size, &entry.packed_size, &entry.header_at}))
      damaged();
    // A size that no entry can have is told when it is read.
    packed += entry.packed_size > file.size() ? 0 : entry.packed_size;
    if (packed > file.size()) fail("{} is damaged: its entries overlap", name_);
    index_[entry.name] = entries_.size();
    entries_.push_back(std::move(entry));
    rest.remove_prefix(kCentralSize + name + extra + comment);
  }
}

const ZipEntry* ZipReader::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

ZipBytes ZipReader::read(const ZipEntry& entry) const {
  const std::string what = fmt::format("{}: the entry {}", name_, entry.name);
  if (entry.flags & kEncrypted) fail("{} is encrypted", what);
  if (entry.method != kStored && entry.method != kDeflated)
    fail("{} is packed with the unknown method {}", what, entry.method);

  const std::string_view file = file_.bytes();
  if (file.size() < kLocalSize || entry.header_at > file.size() - kLocalSize ||
      number_at<uint32_t>(file, entry.header_at) != kLocal)
    fail("{} is damaged: it does not start where it should", what);
  const uint64_t begin = entry.header_at + kLocalSize + number_at<uint16_t>(file, entry.header_at + 26) +
                         number_at<uint16_t>(file, entry.header_at + 28);
  if (begin > file.size() || entry.packed_size > file.size() - begin)
    fail("{} is truncated: it needs {} bytes at {}, the file has {}", what, entry.packed_size, begin, file.size());

  ZipBytes bytes{file_.data.get() + begin, entry.size, file_.data};
  if (entry.method == kStored && entry.size != entry.packed_size) fail("{} is damaged: it has two sizes", what);
  if (entry.method == kDeflated) {
    if (entry.size / kLargestRatio > entry.packed_size + 1)
      fail("{} claims an impossible size of {} bytes", what, entry.size);
    if (entry.size > most_unpacked(file.size()) - std::min(unpacked_, most_unpacked(file.size())))
      fail(
          "{}: it would unpack to more than {} MiB, which is beyond all proportion for its {} bytes; save it "
          "uncompressed",
          name_, most_unpacked(file.size()) >> 20, file.size());
    unpacked_ += entry.size;
    // Aligned for any dtype, and not cleared first.
    const std::shared_ptr<char[]> buffer(new char[std::max<uint64_t>(entry.size, 1)]);
    inflate_all(file.substr(begin, entry.packed_size), buffer.get(), entry.size, what);
    bytes = {buffer.get(), entry.size, buffer};
  }
  if (crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data), bytes.size) != entry.crc)
    fail("{} is damaged: its checksum (CRC-32) is wrong", what);
  return bytes;
}

void ZipWriter::add(const std::string& name, std::initializer_list<std::string_view> parts, bool compressed,
                    size_t alignment) {
  uint64_t size = 0, packed_size = 0;
  uLong crc = 0;
  for (const std::string_view part : parts) {
    size += part.size();
    if (!part.empty()) crc = crc32_z(crc, reinterpret_cast<const Bytef*>(part.data()), part.size());
  }
  const std::string packed = compressed ? deflate_all(parts) : std::string();
  packed_size = compressed ? packed.size() : size;

  // Version needed, flags, method, time and date, CRC and sizes: the part that both records share.
  const bool wide = size >= kFull32 || packed_size >= kFull32, far = at_ >= kFull32;
  const auto append_common = [&](std::string& record) {
    append<uint16_t>(record, wide || far ? 45 : 20);
    append<uint16_t>(record, kUtf8Names);
    append<uint16_t>(record, compressed ? kDeflated : kStored);
    append<uint16_t>(record, 0);
    append<uint16_t>(record, kDate);
    append(record, static_cast<uint32_t>(crc));
    append(record, wide ? kFull32 : static_cast<uint32_t>(packed_size));
    append(record, wide ? kFull32 : static_cast<uint32_t>(size));
    append(record, static_cast<uint16_t>(name.size()));
  };
  std::string sizes;  // zip64 extra
  if (wide || far) {
    append(sizes, kZip64Extra);
    append<uint16_t>(sizes, (wide ? 16 : 0) + (far ? 8 : 0));
    if (wide) append(sizes, size), append(sizes, packed_size);
  }
  std::string local_extra = wide ? sizes : "";
  if (wide && far) local_extra[2] = 16;  // a local header does not repeat its position
  if (!compressed && alignment > 1) {
    const uint64_t data_at = at_ + kLocalSize + name.size() + local_extra.size();
    if (data_at % alignment != 0) {
      const size_t padding = (alignment - (data_at + 4) % alignment) % alignment;
      append(local_extra, kPaddingExtra);
      append(local_extra, static_cast<uint16_t>(padding));
      local_extra.append(padding, '\0');
    }
  }
  if (far) append(sizes, at_);

  std::string local;
  append(local, kLocal);
  append_common(local);
  append(local, static_cast<uint16_t>(local_extra.size()));
  local += name + local_extra;

  append(directory_, kCentral);
  append<uint16_t>(directory_, 45);  // version made by
  append_common(directory_);
  append(directory_, static_cast<uint16_t>(sizes.size()));
  directory_.append(10, '\0');  // comment, disk, attributes
  append(directory_, far ? kFull32 : static_cast<uint32_t>(at_));
  directory_ += name + sizes;
  ++count_;

  out_.write(local.data(), static_cast<std::streamsize>(local.size()));
  if (compressed) out_.write(packed.data(), static_cast<std::streamsize>(packed.size()));
  if (!compressed)
    for (const std::string_view part : parts) out_.write(part.data(), static_cast<std::streamsize>(part.size()));
  at_ += local.size() + packed_size;
}

void ZipWriter::finish() {
  const uint64_t size = directory_.size();
  std::string end;
  if (at_ >= kFull32 || size >= kFull32 || count_ >= kFull16) {
    append(end, kEnd64);
    append<uint64_t>(end, kEnd64Size - 12);  // of what follows
    append<uint16_t>(end, 45);
    append<uint16_t>(end, 45);
    append<uint64_t>(end, 0);  // disks
    append(end, count_);
    append(end, count_);
    append(end, size);
    append(end, at_);
    append(end, kLocator64);
    append<uint32_t>(end, 0);
    append(end, at_ + size);
    append<uint32_t>(end, 1);
  }
  append(end, kEnd);
  append<uint32_t>(end, 0);  // disks
  append(end, static_cast<uint16_t>(std::min<uint64_t>(count_, kFull16)));
  append(end, static_cast<uint16_t>(std::min<uint64_t>(count_, kFull16)));
  append(end, static_cast<uint32_t>(std::min<uint64_t>(size, kFull32)));
  append(end, static_cast<uint32_t>(std::min<uint64_t>(at_, kFull32)));
  append<uint16_t>(end, 0);  // comment
  out_.write(directory_.data(), static_cast<std::streamsize>(directory_.size()));
  out_.write(end.data(), static_cast<std::streamsize>(end.size()));
}

}  // namespace uvic
