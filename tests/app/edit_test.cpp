#include "app/draw/edit.h"

#include <gtest/gtest.h>

#include "app/draw/pipeline.h"
#include "core/image/image.h"
#include "core/random.h"
#include "diffusion/interpolate.h"
#include "tests/random_model.h"
#include "tests/temporary.h"

namespace uvic::edit_test {
namespace {

Tensor noise(uint64_t seed) {
  return at::randn({3, 16, 16}, image_generator(seed), at::kFloat);
}

TEST(Slerp, EndsAtItsEndsAndStaysAsLong) {
  const Tensor a = noise(1), b = noise(2);
  EXPECT_TRUE(at::equal(slerp(a, b, 0), a));
  EXPECT_TRUE(at::equal(slerp(a, b, 1), b));
  const double length = slerp(a, b, 0.5).norm().item<double>(), ends = (a.norm() + b.norm()).item<double>() / 2;
  EXPECT_NEAR(length / ends, 1, 0.01);  // a straight line would be 0.71 as long
  EXPECT_TRUE(at::allclose(slerp(a, b, 0.3), slerp(b, a, 0.7), 0, 1e-5));
  EXPECT_TRUE(at::allclose(slerp(a, a, 0.5), a, 0, 1e-6));
}

class EditFiles : public testing::Test {
 protected:
  fs::path picture(const std::string& name, const Tensor& image) {
    write_png(folder_ / name, image);
    return folder_ / name;
  }
  TemporaryFolder folder_;
};

TEST_F(EditFiles, BrightPartsOfTheMaskAreRepainted) {
  Tensor mask = at::zeros({8, 8, 3}, at::kByte);
  mask.narrow(1, 0, 3).fill_(255);
  const fs::path image = picture("image.png", at::full({8, 8, 3}, 50, at::kByte));
  const Edit edit = read_edit(image, picture("mask.png", mask), 8);
  EXPECT_TRUE(at::equal(edit.repaint, mask.select(2, 0) == 255));
  EXPECT_EQ(edit.image_hash.size(), 10u);
  EXPECT_NE(edit.image_hash, edit.mask_hash);
  EXPECT_FALSE(read_edit(image, "", 8).repaint.defined());
  EXPECT_EQ(read_edit(image, "", 4).image.sizes(), (at::IntArrayRef{4, 4, 3}));
}

// rotated.jpg is rgb.jpg with an EXIF orientation of 6: the stored first row is on the right.
TEST_F(EditFiles, ArePutUpright) {
  const fs::path images = fs::path(UVIC_TEST_DATA) / "images";
  const Tensor stored = read_image(images / "rgb.jpg");
  const Tensor upright = decode_upright_image(read_file(images / "rotated.jpg", "image"), "rotated.jpg");
  EXPECT_TRUE(at::equal(upright, stored.transpose(0, 1).flip(1)));
  EXPECT_TRUE(at::equal(read_edit(images / "rotated.jpg", "", 8).image, center_crop_resize(upright, 8)));
  EXPECT_TRUE(at::equal(decode_upright_image(read_file(images / "rgb.jpg", "image"), "rgb.jpg"), stored));
}

// Strokes of white on a transparent layer are a mask, whatever colour the layer hides.
TEST_F(EditFiles, TransparentPartsOfAMaskStay) {
  const fs::path mask = fs::path(UVIC_TEST_DATA) / "images" / "rgba.png";
  const Edit edit = read_edit(mask, mask, 13);
  const Tensor seen = read_image(mask, Alpha::kOverBlack).narrow(1, 3, 13).amax(2) >= 128;
  EXPECT_TRUE(at::equal(edit.repaint, seen));
  EXPECT_FALSE(at::equal(edit.repaint, read_image(mask).narrow(1, 3, 13).amax(2) >= 128));
}

TEST_F(EditFiles, RefusesMasksThatDoNotFit) {
  const fs::path image = picture("image.png", at::zeros({8, 8, 3}, at::kByte));
  const fs::path small = picture("small.png", at::full({8, 6, 3}, 255, at::kByte));
  expect_mentions(error_of([&] { read_edit(image, small, 8); }), {"small.png is 6 x 8", "8 x 8", "same size"});
  expect_mentions(error_of([&] { read_edit(image, image, 8); }), {"dark everywhere"});
}

Edit edit_of(const Model& model) {
  const int64_t side = picture_size(model);
  Edit edit;
  edit.image = at::randint(256, {side, side, 3}, image_generator(8), at::kByte);
  return edit;
}

Request request(uint64_t seed) {
  Request request;
  request.seed = seed;
  return request;
}

Tensor draw(const Model& model, const Edit& edit, double strength, const std::string& sampler = "dpm-solver++2m") {
  const SampleConfig settings{.sampler = {.kind = sampler, .steps = 4}, .strength = strength};
  return generate(model, {request(4)}, {.settings = settings, .edit = edit}).front().image;
}

double difference(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().mean().item<double>();
}

TEST(ImageToImage, GoesFromThePictureWithStrength) {
  const Model model = random_model(false);
  double before = 0;
  for (const double strength : {0.01, 0.1, 0.4, 0.9}) {
    const Edit edit = edit_of(model);
    const double apart = difference(draw(model, edit, strength), edit.image);
    EXPECT_GT(apart, before) << strength;
    EXPECT_LT(apart, strength == 0.01 ? 5 : 255);  // levels
    before = apart;
  }
  EXPECT_GT(before, 50);
}

TEST(ImageToImage, OfLatentsBeginsWithTheirMean) {
  const Model model = random_model(true);
  const Edit edit = edit_of(model);
  const EditStart start = start_of(model, edit);
  EXPECT_EQ(start.x0.sizes(), (at::IntArrayRef{1, 4, 8, 8}));
  EXPECT_FALSE(start.known.defined());
  const Tensor decoded = to_uint8(model.autoencoder->decode(start.x0 / model.latent_scale))[0].permute({1, 2, 0});
  const double near = difference(draw(model, edit, 0.01), decoded), far = difference(draw(model, edit, 0.9), decoded);
  EXPECT_LT(near, 15);  // the random decoder enlarges the little noise
  EXPECT_GT(far, 2 * near);
}

TEST(Inpainting, LeavesTheRestAsItIsWithEverySampler) {
  const Model model = random_model(false);
  Edit edit = edit_of(model);
  edit.repaint = at::zeros({16, 16}, at::kBool);
  edit.repaint.narrow(0, 3, 7).narrow(1, 5, 9).fill_(true);
  for (const auto& sampler : samplers()) {
    const Tensor same = draw(model, edit, 1, std::string(sampler.name)) == edit.image;
    EXPECT_TRUE(same.masked_select(~edit.repaint.unsqueeze(2)).all().item<bool>()) << sampler.name;
    EXPECT_LT(same.masked_select(edit.repaint.unsqueeze(2)).to(at::kFloat).mean().item<double>(), 0.2) << sampler.name;
  }
}

TEST(Inpainting, KeepsLatentsOfWhichNoPixelIsRepainted) {
  const Model model = random_model(true);
  Edit edit = edit_of(model);
  edit.repaint = at::zeros({32, 32}, at::kBool);
  edit.repaint[9][14] = true;
  const EditStart start = start_of(model, edit);
  Tensor expected = at::ones({1, 1, 8, 8}, at::kBool);
  expected[0][0][2][3] = false;
  EXPECT_TRUE(at::equal(start.known, expected));
}

TEST(Interpolation, BetweenSeedsEndsAtBoth) {
  const Model model = random_model(false);
  const auto draw = [&](const Request& request) {
    return generate(model, {request}, {.settings = {.sampler = {.kind = "dpm-solver++2m", .steps = 2}}}).front().image;
  };
  const auto between = [&](double mix) {
    Request way = request(1);
    way.to_seed = 2;
    way.mix = mix;
    return draw(way);
  };
  const Tensor one = draw(request(1)), two = draw(request(2)), middle = between(0.5);
  EXPECT_TRUE(at::equal(between(0), one));
  EXPECT_TRUE(at::equal(between(1), two));
  EXPECT_GT(difference(middle, one), 1);
  EXPECT_GT(difference(middle, two), 1);
}

}  // namespace
}  // namespace uvic::edit_test
