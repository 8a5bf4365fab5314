#include "core/pickle/pth.h"

#include <gtest/gtest.h>

#include "core/formats/zip.h"
#include "tests/temporary.h"

namespace uvic::pth_test {
namespace {

const fs::path kData = fs::path(UVIC_TEST_DATA) / "files";

// A .pth whose pickle and storages are given.
fs::path put_pth(const TemporaryFolder& folder, const std::string& pickle, const TensorMap& storages = {}) {
  const fs::path path = folder / "made.pth";
  write_atomically(path, [&](std::ostream& out) {
    ZipWriter zip(out);
    zip.add("made/data.pkl", {pickle});
    for (const auto& [key, tensor] : storages)
      zip.add("made/data/" + key, {std::string_view(static_cast<const char*>(tensor.data_ptr()), tensor.nbytes())});
    zip.finish();
  });
  return path;
}

// {"w": a float tensor over storage "0" of 6 elements}; offset, size and stride are pickled tuples and numbers.
std::string tensor_pickle(const std::string& offset, const std::string& size, const std::string& stride,
                          const std::string& elements = "K\6") {
  return "}U\1wctorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch\nFloatStorage\nU\1"
         "0U\3cpu" +
         elements + "tQ" + offset + size + stride + "\x89}tRs.";
}

std::string error_for(const fs::path& path) {
  const std::string message = error_of([&] { read_pth(path); });
  expect_mentions(message, {path.filename().string()});
  return message;
}

TEST(Pth, ReadsWhatTorchWrote) {
  const PickleValue value = read_pth(kData / "mixed.pth");
  const auto& dict = value.dict("mixed");
  const Tensor& w = find(dict, "w")->tensor("w");
  EXPECT_TRUE(at::equal(w, at::arange(6, at::kFloat).reshape({2, 3}).t()));
  EXPECT_EQ(w.stride(0), 1);
  EXPECT_EQ(find(dict, "u16")->tensor("u16").scalar_type(), at::kUInt16);
  EXPECT_TRUE(at::equal(find(dict, "u16")->tensor("u16").to(at::kInt), at::arange(5, at::kInt)));
  EXPECT_TRUE(at::equal(at::view_as_real(find(dict, "c")->tensor("c")), at::tensor({1.f, 2.f}).reshape({1, 2})));
  EXPECT_EQ(std::get<double>(find(dict, "score")->value), 1.5);
  EXPECT_TRUE(at::equal(find(dict, "rng")->tensor("rng"), at::arange(3)));
  EXPECT_TRUE(at::equal(find(dict, "p")->tensor("p"), at::ones({2})));
}

TEST(Pth, ReadsTheLegacyFormat) {
  EXPECT_TRUE(at::equal(read_state_dict(kData / "legacy.pth").at("w"), at::arange(6, at::kFloat)));
}

TEST(Pth, ReadsTorchScriptModules) {
  const TensorMap tensors = read_state_dict(kData / "script.pt");
  const auto quarters = [](int64_t count) { return at::arange(count, at::kFloat) / 4; };
  ASSERT_EQ(tensors.size(), 9u);
  EXPECT_TRUE(at::equal(tensors.at("scale"), quarters(3)));
  EXPECT_TRUE(at::equal(tensors.at("layers.0.fc.weight"), quarters(6).reshape({2, 3})));
  EXPECT_TRUE(at::equal(tensors.at("layers.0.fc.bias"), quarters(2)));
  EXPECT_EQ(tensors.at("layers.0.steps").item<int64_t>(), 7);
  EXPECT_TRUE(at::equal(tensors.at("layers.1.running_var"), at::ones({2})));
  EXPECT_EQ(tensors.at("layers.1.num_batches_tracked").scalar_type(), at::kLong);
}

TEST(Pth, RefusesPickledModelsAndCode) {
  expect_mentions(error_for(kData / "whole_model.pth"), {"__main__.Net", "state_dict"});
  const TemporaryFolder folder;
  expect_mentions(error_for(put_pth(folder, "cos\nsystem\n(S'true'\ntR.")), {"os.system"});
  expect_mentions(error_for(put_pth(folder, "ctorch\nload\n.")), {"torch.load"});
}

TEST(Pth, WritesWhatItReads) {
  const TemporaryFolder folder;
  TensorMap tensors;
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort,
                           at::kChar, at::kByte, at::kBool, at::kUInt16, at::kUInt32, at::kUInt64})
    tensors[c10::toString(dtype)] = at::arange(6).remainder(2).reshape({2, 3}).to(dtype);
  tensors["scalar"] = at::scalar_tensor(2.5);
  tensors["empty"] = at::empty({0, 3});
  tensors["strided"] = at::arange(12.0).reshape({3, 4}).t();
  write_pth(folder / "a.pth", tensors);
  const TensorMap read = read_weights(folder / "a.pth").tensors;
  ASSERT_EQ(read.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const Tensor& got = read.at(name);
    EXPECT_EQ(got.scalar_type(), tensor.scalar_type()) << name;
    ASSERT_EQ(got.sizes(), tensor.sizes()) << name;
    EXPECT_TRUE(at::equal(got.to(at::kDouble), tensor.to(at::kDouble))) << name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(got.data_ptr()) % 64, 0u) << name;
  }
}

TEST(Pth, FindsTheStateDictInItsWrapping) {
  const TemporaryFolder folder;
  const TensorMap storage = {{"0", at::arange(6, at::kFloat)}};
  std::string inner = tensor_pickle("K\1", "K\2\x85", "K\2\x85");
  inner.pop_back();  // STOP
  const auto wrap = [&](const std::string& key) {
    return put_pth(folder, "}(U" + std::string(1, static_cast<char>(key.size())) + key + inner + "U\4stepK\7u.",
                   storage);
  };
  for (const char* key : {"ema", "model_ema", "state_dict", "model", "params"})
    EXPECT_TRUE(at::equal(read_state_dict(wrap(key)).at("w"), at::tensor({1.f, 3.f}))) << key;
  // One in another, beside a tensor that is no weight: {"state_dict": {"model": {"w": tensor}}, "n": tensor}.
  const std::string tensor = inner.substr(4, inner.size() - 5);
  const fs::path nested = put_pth(folder, "}(U\nstate_dict}U\5model" + inner + "sU\1n" + tensor + "u.", storage);
  EXPECT_EQ(read_state_dict(nested).count("w"), 1u);
  EXPECT_EQ(read_state_dict(nested).size(), 1u);
  expect_mentions(error_of([&] { read_state_dict(wrap("other")); }), {"made.pth", "no tensors", "other step"});

  TensorMap parallel = {{"module.a", at::ones({1})}, {"module.b", at::ones({1})}};
  write_pth(folder / "parallel.pth", parallel);
  EXPECT_EQ(read_state_dict(folder / "parallel.pth").count("a"), 1u);
  parallel["c"] = at::ones({1});  // then "module" is a name like any other
  write_pth(folder / "parallel.pth", parallel);
  EXPECT_EQ(read_state_dict(folder / "parallel.pth").count("module.a"), 1u);
}

TEST(Pth, ChecksViewsAgainstTheirStorage) {
  const TemporaryFolder folder;
  const TensorMap storage = {{"0", at::arange(6, at::kFloat)}};
  const auto error = [&](const std::string& pickle) { return error_for(put_pth(folder, pickle, storage)); };
  const std::string minus = "J\xff\xff\xff\xff", large = "J\xff\xff\xff\x7f";
  expect_mentions(error(tensor_pickle("K\5", "K\2\x85", "K\1\x85")), {"element 6", "storage of 6"});
  expect_mentions(error(tensor_pickle(minus, "K\2\x85", "K\1\x85")), {"impossible shape"});
  expect_mentions(error(tensor_pickle("K\1", minus + "\x85", "K\1\x85")), {"impossible shape"});
  expect_mentions(error(tensor_pickle("K\1", "K\2\x85", "K\1K\1\x86")), {"impossible shape"});
  expect_mentions(error(tensor_pickle("K\1", "K\2\x85", minus + "\x85")), {"impossible strides"});
  expect_mentions(error(tensor_pickle("K\1", large + large + large + "\x87", large + large + large + "\x87")),
                  {"impossible"});
  using namespace std::string_literals;
  expect_mentions(error(tensor_pickle("K\0"s, large + "\x85", "K\0\x85"s)), {"expands 24 bytes"});
  expect_mentions(error(tensor_pickle("K\0"s, "K\1\x85", "K\1\x85", "K\7")), {"24 bytes instead of 28"});
  expect_mentions(error(tensor_pickle("K\0"s, "K\1\x85", "K\1\x85", large)), {"instead of"});
  expect_mentions(error_for(put_pth(folder, tensor_pickle("K\0"s, "K\1\x85", "K\1\x85"))), {"storage 0 is missing"});
  expect_mentions(error("ctorch._utils\n_rebuild_tensor_v2\n)R."), {"too few arguments"});
}

TEST(Pth, NamesDamage) {
  const TemporaryFolder folder;
  write_pth(folder / "a.pth", {{"w", at::arange(1000)}});
  const std::string zip = read_file(folder / "a.pth", "file"), legacy = read_file(kData / "legacy.pth", "file");
  std::string flipped = zip;
  flipped[flipped.size() / 2] ^= 1;
  expect_mentions(error_for(folder.put("flipped.pth", flipped)), {"a/data/0", "checksum"});
  expect_mentions(error_for(folder.put("short.pth", zip.substr(0, zip.size() - 30))), {"truncated"});
  for (size_t size = 0; size < zip.size(); size += 101) error_for(folder.put("cut.pth", zip.substr(0, size)));
  for (size_t size = 0; size < legacy.size(); ++size) error_for(folder.put("cut.pth", legacy.substr(0, size)));
}

TEST(Weights, AreKnownByTheirContent) {
  const TemporaryFolder folder;
  const TensorMap tensors = {{"w", at::arange(3)}};
  write_safetensors(folder / "a.pth", {tensors, {{"step", "5"}}});
  EXPECT_EQ(read_weights(folder / "a.pth").metadata.at("step"), "5");
  write_pth(folder / "b.safetensors", tensors);
  EXPECT_TRUE(at::equal(read_weights(folder / "b.safetensors").tensors.at("w"), at::arange(3)));
  expect_mentions(error_of([&] { read_pth(folder / "a.pth"); }), {"safetensors"});

  const auto error = [&](std::string_view bytes) {
    return error_of([&, path = folder.put("x.pth", bytes)] { read_weights(path); });
  };
  expect_mentions(error(""), {"x.pth", "empty"});
  expect_mentions(error("\n<!DOCTYPE html>"), {"x.pth", "web page"});
  expect_mentions(error("version https://git-lfs.github.com/spec/v1\n"), {"x.pth", "git lfs pull"});
  expect_mentions(error("\x1f\x8b\x08 and more"), {"x.pth", "gzip"});
  expect_mentions(error("something else"), {"x.pth", "no weights file"});
  expect_mentions(error_of([&] { read_weights(folder.path()); }), {"folder"});
  expect_mentions(error_of([&] { read_weights(folder / "gone"); }), {"gone", "No such file"});
}

}  // namespace
}  // namespace uvic::pth_test
