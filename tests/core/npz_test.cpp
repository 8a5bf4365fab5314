#include "core/formats/npz.h"

#include <gtest/gtest.h>

#include <sstream>

#include "core/formats/zip.h"
#include "tests/temporary.h"

namespace uvic::npz_test {
namespace {

const fs::path kData = fs::path(UVIC_TEST_DATA) / "files";

std::string npy_of(const std::string& header, const std::string& data = "") {
  return "\x93NUMPY\1" + std::string(1, '\0') + static_cast<char>(header.size()) + '\0' + header + data;
}

// An .npz of one array, "x", of these bytes.
fs::path npz_around(const TemporaryFolder& folder, std::string_view array) {
  const fs::path path = folder / "one.npz";
  write_atomically(path, [&](std::ostream& out) {
    ZipWriter zip(out);
    zip.add("x.npy", {array}, false);
    zip.finish();
  });
  return path;
}

TEST(Npz, ReadsWhatNumpyWrote) {
  const TensorMap plain = read_npz(kData / "plain.npz");
  EXPECT_TRUE(at::equal(plain.at("mu"), at::arange(3, at::kDouble)));
  EXPECT_TRUE(at::equal(plain.at("sigma"), at::eye(2, at::kDouble)));
  EXPECT_TRUE(at::equal(plain.at("b"), at::tensor({1, 0}, at::kInt).to(at::kBool)));
  EXPECT_TRUE(at::equal(plain.at("be"), at::arange(3, at::kFloat)));
  EXPECT_EQ(plain.at("scalar").dim(), 0);
  EXPECT_EQ(plain.at("scalar").item<double>(), 2.0);
  EXPECT_EQ(plain.count("name"), 0u);  // text

  const TensorMap compressed = read_npz(kData / "compressed.npz");
  EXPECT_TRUE(at::equal(compressed.at("z"), at::zeros({100, 100}, at::kDouble)));
  EXPECT_TRUE(at::equal(compressed.at("i"), at::arange(4, at::kByte)));

  const TemporaryFolder folder;
  const TensorMap fortran = read_npz(npz_around(folder, read_file(kData / "fortran.npy", "array")));
  EXPECT_TRUE(at::equal(fortran.at("x"), at::arange(6, at::kInt).reshape({2, 3})));
}

class NpzWriting : public testing::TestWithParam<bool> {};

TEST_P(NpzWriting, GivesBackEveryDtype) {
  const TemporaryFolder folder;
  TensorMap arrays = {{"scalar", at::scalar_tensor(2.5)},
                      {"empty", at::empty({0, 3})},
                      {"strided", at::arange(12.0).reshape({3, 4}).t()},
                      {"large", at::arange(200'000)}};
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kLong, at::kInt, at::kShort, at::kChar, at::kByte,
                           at::kBool, at::kUInt16, at::kUInt32, at::kUInt64})
    arrays[c10::toString(dtype)] = at::arange(6).remainder(2).reshape({2, 3}).to(dtype);
  write_npz(folder / "a.npz", arrays, GetParam());
  const TensorMap read = read_npz(folder / "a.npz");
  ASSERT_EQ(read.size(), arrays.size());
  for (const auto& [name, array] : arrays) {
    EXPECT_EQ(read.at(name).scalar_type(), array.scalar_type()) << name;
    ASSERT_EQ(read.at(name).sizes(), array.sizes()) << name;
    EXPECT_TRUE(at::equal(read.at(name).to(at::kDouble), array.to(at::kDouble))) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(StoredAndDeflated, NpzWriting, testing::Bool());

TEST(Npz, CompressionShrinks) {
  const TemporaryFolder folder;
  const TensorMap zeros = {{"z", at::zeros({100'000})}};
  write_npz(folder / "stored.npz", zeros);
  write_npz(folder / "deflated.npz", zeros, true);
  EXPECT_GT(fs::file_size(folder / "stored.npz"), 400'000u);
  EXPECT_LT(fs::file_size(folder / "deflated.npz"), 5'000u);
}

TEST(Npz, RefusesWhatTensorsCannotHold) {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& bytes) {
    return error_of([&, path = npz_around(folder, bytes)] { read_npz(path); });
  };
  expect_mentions(error(read_file(kData / "objects.npy", "array")), {"one.npz: array x", "pickled"});
  const auto header = [](const std::string& dtype, const std::string& shape) {
    return "{'descr': " + dtype + ", 'fortran_order': False, 'shape': " + shape + ", }\n";
  };
  expect_mentions(error("hello, world"), {"array x", "not a .npy"});
  expect_mentions(error(npy_of(header("'<c8'", "()"), "12345678")), {"'<c8'", "numbers and bools"});
  expect_mentions(error(npy_of(header("[('a', '<f4')]", "()"), "1234")), {"structured"});
  expect_mentions(error(npy_of(header("'<f4'", "(2,)"), "1234")), {"4 bytes", "needs 8"});
  expect_mentions(error(npy_of(header("'<f4'", "(4294967296, 4294967296, 4294967296)"), "1234")), {"more than fit"});
  expect_mentions(error(npy_of(header("'<f4'", "(-1,)"), "")), {"damaged .npy header"});
  expect_mentions(error(npy_of(header("'<f4'", "(1"), "1234")), {"damaged .npy header"});
  expect_mentions(error(npy_of("{'descr': '<f4'}", "1234")), {"damaged .npy header"});
  expect_mentions(error(npy_of(header("'|b1'", "(1,)"), "7")), {"bools"});
  const std::string whole = read_file(kData / "fortran.npy", "array");
  for (size_t size = 0; size < whole.size(); ++size) error(whole.substr(0, size));

  expect_mentions(error_of([&] {
                    write_npz(folder / "a.npz", {{"w", at::ones({1}, at::kBFloat16)}});
                  }),
                  {"array w", "BFloat16", "float32"});
  EXPECT_FALSE(fs::exists(folder / "a.npz"));
}

TEST(Npz, NamesDamage) {
  const TemporaryFolder folder;
  for (const char* name : {"plain.npz", "compressed.npz"}) {
    const std::string whole = read_file(kData / name, "file");
    for (size_t size = 0; size < whole.size(); size += 3)
      expect_mentions(error_of([&, path = folder.put("x.npz", whole.substr(0, size))] { read_npz(path); }), {"x.npz"});
    std::string flipped = whole;
    flipped[150] ^= 1;
    expect_mentions(error_of([&, path = folder.put("x.npz", flipped)] { read_npz(path); }),
                    {"x.npz", ".npy", "damaged"});
  }
}

TEST(Zip, HoldsMoreEntriesThanTheOldFormat) {
  const TemporaryFolder folder;
  const int count = 70'000;  // of the 65535 that need no zip64 records
  write_atomically(folder / "x.zip", [&](std::ostream& out) {
    ZipWriter zip(out);
    for (int i = 0; i < count; ++i) zip.add(std::to_string(i), {});
    zip.add("last", {"a", "", "bc"}, false, 64);
    zip.finish();
  });
  const ZipReader zip(folder / "x.zip", "archive");
  ASSERT_EQ(zip.entries().size(), static_cast<size_t>(count) + 1);
  EXPECT_EQ(zip.read(*zip.find("last")).view(), "abc");
  EXPECT_EQ(zip.find("none"), nullptr);
}

// 4 MB can unpack to 4 GB; what a small file holds of zeros is no harm.
TEST(Npz, UnpacksZerosUpToALimit) {
  TemporaryFolder folder;
  const fs::path small = folder / "small.npz", bomb = folder / "bomb.npz";
  write_npz(small, {{"a", at::zeros({64 << 20}, at::kByte)}}, /*compressed=*/true);
  EXPECT_EQ(read_npz(small).at("a").numel(), 64 << 20);
  const Tensor half = at::zeros({140 << 20}, at::kByte);
  write_npz(bomb, {{"a", half}, {"b", half}}, /*compressed=*/true);
  expect_mentions(error_of([&] { read_npz(bomb); }), {"bomb.npz", "beyond all proportion"});
}

TEST(Zip, RefusesEntriesThatShareTheirBytes) {
  TemporaryFolder folder;
  std::ostringstream out;
  ZipWriter zip(out);
  zip.add("a.npy", {std::string(1000, 'x')});
  zip.finish();
  std::string bytes = out.str();
  const size_t list = bytes.find("PK\1\2"), end = bytes.find("PK\5\6");
  const std::string entry = bytes.substr(list, end - list);
  bytes.insert(end, entry + entry);
  const auto set = [&](size_t at, size_t value) {
    for (int i = 0; i < 2; ++i) bytes[at + i] = static_cast<char>(value >> 8 * i);
  };
  const size_t tail = bytes.find("PK\5\6");
  set(tail + 8, 3), set(tail + 10, 3), set(tail + 12, 3 * entry.size());
  expect_mentions(error_of([&] { ZipReader(folder.put("overlap.zip", bytes), "archive"); }), {"entries overlap"});
}

TEST(Zip, RefusesImpossibleSizesAndMethods) {
  const TemporaryFolder folder;
  write_atomically(folder / "x.zip", [&](std::ostream& out) {
    ZipWriter zip(out);
    zip.add("a", {std::string(100, 'a')}, true);
    zip.finish();
  });
  const std::string whole = read_file(folder / "x.zip", "archive");
  const size_t record = whole.find("PK\1\2");
  const auto error_with = [&](size_t field, char value) {
    std::string changed = whole;
    changed[record + field] = value;
    const ZipReader zip(folder.put("y.zip", changed), "archive");
    return error_of([&] { zip.read(zip.entries().front()); });
  };
  expect_mentions(error_with(8, 1), {"entry a", "encrypted"});
  expect_mentions(error_with(10, 12), {"entry a", "method 12"});
  expect_mentions(error_with(27, 0x7f), {"entry a", "impossible size"});
  expect_mentions(error_with(24, 99), {"entry a", "does not unpack to 99"});
  expect_mentions(error_with(16, 0), {"entry a", "checksum"});
  expect_mentions(error_with(22, 1), {"entry a", "truncated"});
  expect_mentions(error_with(42, 9), {"entry a", "does not start"});
}

}  // namespace
}  // namespace uvic::npz_test
