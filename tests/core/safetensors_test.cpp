#include "core/formats/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/pickle/pth.h"
#include "tests/temporary.h"

namespace uvic::safetensors_test {
namespace {

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

std::string error_for(const std::string& bytes) {
  const TemporaryFolder folder;
  const fs::path path = folder.put("bad.safetensors", bytes);
  const std::string message = error_of([&] { read_safetensors(path); });
  expect_mentions(message, {"bad.safetensors"});
  return message;
}

TEST(Safetensors, KeepsEveryDtypeAndShape) {
  const TemporaryFolder folder;
  TensorFile file;
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                           at::kChar, at::kByte, at::kBool, at::kUInt16, at::kUInt32, at::kUInt64})
    file.tensors[c10::toString(dtype)] = at::arange(6).remainder(2).reshape({2, 3}).to(dtype);
  file.tensors["scalar"] = at::scalar_tensor(2.5);
  file.tensors["empty"] = at::empty({0, 3});
  file.tensors["complex"] = at::complex(at::arange(3.0), at::arange(3.0, 6.0)).to(at::kComplexFloat);
  file.tensors["strided"] = at::arange(12.0).reshape({3, 4}).t();
  file.metadata = {{"step", "7"}, {"text", "line\n\"quoted\" \u00e9"}};
  write_safetensors(folder / "a.safetensors", file);

  const TensorFile read = read_safetensors(folder / "a.safetensors");
  EXPECT_EQ(read.metadata, file.metadata);
  ASSERT_EQ(read.tensors.size(), file.tensors.size());
  for (const auto& [name, tensor] : file.tensors) {
    const Tensor& got = read.tensors.at(name);
    EXPECT_EQ(got.scalar_type(), tensor.scalar_type()) << name;
    ASSERT_EQ(got.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(got.is_contiguous()) << name;
    const at::ScalarType wide = got.is_complex() ? at::kComplexDouble : at::kDouble;
    EXPECT_TRUE(at::equal(got.to(wide), tensor.to(wide))) << name;
  }
}

// Whatever byte is changed: an error, or the same contents (spaces and the name of the checksum are no contents).
TEST(Safetensors, AnyFlippedByteIsNoticed) {
  const TemporaryFolder folder;
  TensorFile file{{{"a", at::arange(5, at::kFloat)}, {"b.c", at::arange(3, at::kByte)}},
                  {{"uvic.config", "heads = 2"}, {"z", "1"}}};
  const fs::path path = folder / "a.safetensors";
  write_safetensors(path, file);
  const std::string good = read_file(path, "file");
  size_t harmless = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    folder.put("a.safetensors", bad);
    try {
      const TensorFile read = read_safetensors(path);
      ++harmless;
      for (const auto& [name, tensor] : file.tensors) EXPECT_TRUE(at::equal(read.tensors.at(name), tensor)) << i;
      for (const auto& [key, value] : file.metadata) EXPECT_EQ(read.metadata.at(key), value) << i;
    } catch (const Error& error) {
      expect_mentions(error.what(), {"a.safetensors"});
    }
  }
  EXPECT_LE(harmless, std::string_view("uvic.crc32c").size());
  folder.put("a.safetensors", good.substr(0, good.size() - 1) + "x");
  expect_mentions(error_of([&] { read_safetensors(path); }), {"a.safetensors is damaged", "checksum"});
}

TEST(Safetensors, AChecksumIsThatOfTheContentsHoweverTheHeaderIsWritten) {
  const TemporaryFolder folder;
  write_safetensors(folder / "a.safetensors", {{{"w", at::arange(4, at::kFloat)}}, {{"k", "v"}}});
  const std::string bytes = read_file(folder / "a.safetensors", "file");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  const auto header = nlohmann::ordered_json::parse(bytes.substr(8, length));
  EXPECT_TRUE(header["__metadata__"].contains("uvic.crc32c"));
  nlohmann::ordered_json turned{{"w", header["w"]}, {"__metadata__", header["__metadata__"]}};
  folder.put("b.safetensors", file_of(turned.dump(3), bytes.substr(8 + length)));
  EXPECT_EQ(read_safetensors(folder / "b.safetensors").metadata, (std::map<std::string, std::string>{{"k", "v"}}));
  turned["__metadata__"].erase("uvic.crc32c");  // a file from elsewhere
  folder.put("c.safetensors", file_of(turned.dump(), bytes.substr(8 + length, 15) + "x"));
  EXPECT_EQ(read_safetensors(folder / "c.safetensors").tensors.count("w"), 1u);
  write_safetensors(folder / "d.safetensors", {{{"w", at::ones({1})}}, {}}, Checksum::kNone);
  EXPECT_EQ(read_file(folder / "d.safetensors", "file").find("crc32c"), std::string::npos);
}

TEST(Safetensors, TensorsAreViewsThatOutliveTheFile) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a.safetensors";
  write_safetensors(path, {{{"w", at::arange(1000.0, at::kFloat)}}, {}});
  Tensor w = read_safetensors(path).tensors.at("w");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(w.data_ptr()) % 64, 0u);
  fs::remove(path);
  w.add_(1);
  EXPECT_TRUE(at::equal(w, at::arange(1000.0, at::kFloat) + 1));
}

TEST(Safetensors, EqualContentsGiveEqualBytes) {
  const TemporaryFolder folder;
  const TensorFile file = {{{"a", at::ones({3}, at::kHalf)}, {"b", at::ones({3}, at::kDouble)}}, {{"k", "v"}}};
  write_safetensors(folder / "1", file);
  write_safetensors(folder / "2", file);
  EXPECT_EQ(read_file(folder / "1", "file"), read_file(folder / "2", "file"));
}

TEST(Safetensors, CopiesMisalignedTensors) {
  const TemporaryFolder folder;
  const float value = 1.5f;
  const std::string header =
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  const fs::path path =
      folder.put("x", file_of(header, "\1" + std::string(reinterpret_cast<const char*>(&value), sizeof(value))));
  const Tensor b = read_safetensors(path).tensors.at("b");
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data_ptr()) % alignof(float), 0u);
  EXPECT_EQ(b.item<float>(), 1.5f);
}

TEST(Safetensors, RejectsFilesOfAnotherKind) {
  expect_mentions(error_for("abc"), {"not a safetensors file", "3 bytes"});
  expect_mentions(error_for("<!DOCTYPE html><html><body>404"), {"not a safetensors file", "truncated"});
  expect_mentions(error_for(file_of("{\"a\":", "")), {"not JSON"});
  expect_mentions(error_for(file_of("[1]", "")), {"not a JSON object"});
  expect_mentions(error_for(std::string(8, '\xff') + "{}"), {"header", "truncated"});
  expect_mentions(error_for(file_of(std::string(100'000, '['), "")), {"levels of nesting"});
}

struct HostileHeader {
  const char* entries;  // of tensors over 8 bytes of data
  std::initializer_list<std::string_view> mentions;
};

TEST(Safetensors, RejectsHostileHeaders) {
  const HostileHeader cases[] = {
      {R"("a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]})", {"'a'", "truncated", "8 bytes"}},
      {R"("a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]})", {"'a'", "needs 12 bytes", "hold 8"}},
      {R"("a":{"dtype":"U8","shape":[8],"data_offsets":[8,0]})", {"'a'", "offsets"}},
      {R"("a":{"dtype":"U8","shape":[8],"data_offsets":[-1,7]})", {"'a'", "offset"}},
      {R"("a":{"dtype":"U8","shape":[8],"data_offsets":[0,8.0]})", {"'a'", "offset"}},
      {R"("a":{"dtype":"U8","shape":[8],"data_offsets":[0]})", {"'a'", "malformed"}},
      {R"("a":{"dtype":"U8","shape":[-8],"data_offsets":[0,8]})", {"'a'", "size"}},
      {R"("a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]})", {"'a'", "too large"}},
      {R"("a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,8]})", {"'a'", "too large"}},
      {R"("a":{"dtype":"F64","shape":[0,9223372036854775807],"data_offsets":[0,0]})", {"'a'", "too large"}},
      {R"("a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]})", {"'a'", "F8_E4M3", "not supported"}},
      {R"("a":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]})", {"'a'", "bools"}},
      {R"("a":{"dtype":7,"shape":[8],"data_offsets":[0,8]})", {"'a'", "malformed"}},
      {R"("a":{"shape":[8],"data_offsets":[0,8]})", {"'a'", "needs dtype"}},
      {R"("a":7)", {"'a'", "needs dtype"}},
      {R"("__metadata__":{"k":1})", {"metadata", "'k'", "not a string"}},
      {R"("__metadata__":[])", {"__metadata__"}},
      {R"("a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]})",
       {"'a'", "twice"}},
      {R"("a":{"dtype":"U8","shape":[6],"data_offsets":[0,6]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]})",
       {"'b'", "overlaps"}},
      {R"("a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]})",
       {"'b'", "gap"}},
      {R"("a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]})", {"fill 4 bytes", "8 bytes"}},
  };
  for (const auto& hostile : cases) {
    SCOPED_TRACE(hostile.entries);
    expect_mentions(error_for(file_of("{" + std::string(hostile.entries) + "}", std::string(8, '\7'))),
                    hostile.mentions);
  }
}

// Both need many times the memory of their text, so they are refused while they are read.
TEST(Safetensors, RejectsHeadersOfEndlessValues) {
  expect_mentions(error_for(file_of(std::string(1'000'000, '['), "")), {"8 levels of nesting"});
  std::string numbers = "{\"a\":[0";
  for (int i = 0; i < 3'000'000; ++i) numbers += ",0";
  expect_mentions(error_for(file_of(numbers + "]}", "")), {"more than 3000000 values"});
}

TEST(Safetensors, RejectsEveryTruncation) {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", {{{"w", at::arange(10)}}, {{"k", "v"}}});
  const std::string bytes = read_file(folder / "a", "file");
  for (size_t size = 0; size < bytes.size(); size += 7) error_for(bytes.substr(0, size));
}

TEST(Safetensors, RefusesWhatTheFormatCannotHold) {
  const TemporaryFolder folder;
  expect_mentions(error_of([&] {
                    write_safetensors(folder / "a", {{{"c", at::ones({1}, at::kComplexDouble)}}, {}});
                  }),
                  {"'c'", "ComplexDouble"});
  expect_mentions(error_of([&] { write_safetensors(folder / "a", {{{"\xff", at::ones({1})}}, {}}); }), {"UTF-8"});
  EXPECT_FALSE(fs::exists(folder / "a"));
}

TEST(ShardedSafetensors, AreOneMapOfTensors) {
  const TemporaryFolder folder;
  write_safetensors(folder / "model-1.safetensors",
                    {{{"a", at::ones({2})}, {"b", at::zeros({3})}}, {{"format", "pt"}}});
  write_safetensors(folder / "model-2.safetensors", {{{"c", at::full({1}, 7)}}, {}});
  const std::string good = R"({"weight_map": {"a": "model-1.safetensors", "b": "model-1.safetensors",
                                              "c": "model-2.safetensors"}})";
  const fs::path index = folder.put("model.safetensors.index.json", good);
  const TensorFile whole = read_weights(index);
  EXPECT_EQ(whole.tensors.size(), 3u);
  EXPECT_EQ(whole.tensors.at("c").item<double>(), 7);
  EXPECT_EQ(whole.metadata.at("format"), "pt");

  const auto problem = [&](const std::string& text) {
    folder.put("model.safetensors.index.json", text);
    return error_of([&] { read_weights(index); });
  };
  expect_mentions(problem(R"({"weight_map": {"a": "model-1.safetensors"}})"), {"model-1", "'b'", "does not name"});
  expect_mentions(problem(R"({"weight_map": {"d": "model-2.safetensors"}})"), {"model-2", "no tensor 'd'"});
  expect_mentions(problem(R"({"weight_map": {"a": "../model-1.safetensors"}})"), {"'a'", "beside it"});
  expect_mentions(problem(R"({"weight_map": {"a": 3}})"), {"'a'", "beside it"});
  expect_mentions(problem(R"({"weight_map": {"a": "gone.safetensors"}})"), {"gone.safetensors"});
  expect_mentions(problem(R"({"metadata": {}})"), {"weight_map"});
  expect_mentions(problem("{"), {"JSON"});
  fs::resize_file(folder / "model-2.safetensors", 60);
  expect_mentions(problem(good), {"model-2.safetensors", "truncated"});
}

}  // namespace
}  // namespace uvic::safetensors_test
