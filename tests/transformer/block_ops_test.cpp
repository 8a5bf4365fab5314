#include "transformer/kernels/block_ops.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "core/autocast.h"
#include "core/random.h"

namespace uvic::block_ops_test {
namespace {

// A block's part with 3 images of 180 tokens: rows that fill four pieces of work and a part of the next, enough for
// products of our own.
struct Part {
  static constexpr int64_t kDim = 24;
  at::Generator generator = make_generator(7, Stream::kNoise);

  Tensor draw(at::IntArrayRef shape, double scale = 1, double centre = 0) {
    return at::randn(shape, generator, at::kFloat) * scale + centre;
  }
  Linear linear(int64_t in, int64_t out, bool bias = true) {
    return {draw({out, in}, 1 / std::sqrt(in)), bias ? draw({out}, 0.3) : Tensor()};
  }

  Tensor x = draw({3, 180, kDim}), skip = draw({3, 180, kDim}, 2), mixed = draw({3, 180, kDim});
  LayerNorm norm{draw({kDim}, 0.2, 1), draw({kDim}, 0.2)};
  Linear join = linear(2 * kDim, kDim), qkv = linear(kDim, 3 * kDim, false), head = linear(kDim, 40);
  Linear proj = linear(kDim, kDim), fc1 = linear(kDim, 4 * kDim), fc2 = linear(4 * kDim, kDim);
  Tensor cotangent = draw({3, 180, 3 * kDim});
};

using Compute = std::function<Tensor(const Part&)>;

// The value and the gradients of `inputs` under a fixed cotangent.
std::vector<Tensor> differentiate(const Part& part, const std::vector<Tensor>& inputs, at::ScalarType precision,
                                  const Compute& compute) {
  for (Tensor input : inputs) input.requires_grad_().mutable_grad().reset();
  Tensor out;
  {
    Autocast autocast(at::kCPU, precision);
    out = compute(part);
  }
  out.backward(part.cotangent.narrow(2, 0, out.size(2)).to(out.scalar_type()));
  std::vector<Tensor> results{out.detach().to(at::kDouble)};
  for (const Tensor& input : inputs) results.push_back(input.grad().to(at::kDouble));
  return results;
}

Part in_double(const Part& part) {
  Part copy = part;
  const auto convert = [](Tensor& t) {
    if (t.defined()) t = t.detach().to(at::kDouble);
  };
  for (Tensor* t : {&copy.x, &copy.skip, &copy.mixed, &copy.norm.weight, &copy.norm.bias, &copy.cotangent}) convert(*t);
  for (Linear* l : {&copy.join, &copy.qkv, &copy.head, &copy.proj, &copy.fc1, &copy.fc2}) {
    convert(l->weight);
    convert(l->bias);
  }
  return copy;
}

struct Case {
  const char* name;
  Compute fused, reference;
  std::vector<Tensor> (*inputs)(const Part&);
};

const Case kCases[] = {
    {"join_skip", [](const Part& p) { return join_skip(p.x, p.skip, p.join); },
     [](const Part& p) {
       return p.join(at::cat({p.x, p.skip}, -1));
     },
     [](const Part& p) {
       return std::vector<Tensor>{p.x, p.skip, p.join.weight, p.join.bias};
     }},
    {"norm_linear", [](const Part& p) { return norm_linear(p.x, p.norm, p.qkv); },
     [](const Part& p) { return p.qkv(p.norm(p.x)); },
     [](const Part& p) {
       return std::vector<Tensor>{p.x, p.norm.weight, p.norm.bias, p.qkv.weight};
     }},
    {"norm_linear with bias", [](const Part& p) { return norm_linear(p.x, p.norm, p.head); },
     [](const Part& p) { return p.head(p.norm(p.x)); },
     [](const Part& p) {
       return std::vector<Tensor>{p.x, p.norm.weight, p.norm.bias, p.head.weight, p.head.bias};
     }},
    {"project_and_mlp", [](const Part& p) { return project_and_mlp(p.x, p.mixed, p.proj, p.norm, p.fc1, p.fc2); },
     [](const Part& p) {
       const Tensor z = p.x + p.proj(p.mixed);
       return z + p.fc2(at::gelu(p.fc1(p.norm(z))));
     },
     [](const Part& p) {
       return std::vector<Tensor>{p.x,         p.mixed,      p.proj.weight, p.proj.bias,  p.norm.weight,
                                  p.norm.bias, p.fc1.weight, p.fc1.bias,    p.fc2.weight, p.fc2.bias};
     }},
};

double worst_difference(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, (a[i] - b[i]).abs().max().item<double>() / b[i].abs().max().item<double>());
  return worst;
}

TEST(BlockOps, ValuesAndGradientsAreThoseOfThePlainOperations) {
  for (const Case& c : kCases) {
    const Part part, exact = in_double(part);
    const auto expected = differentiate(exact, c.inputs(exact), at::kFloat, c.reference);
    EXPECT_LT(worst_difference(differentiate(part, c.inputs(part), at::kFloat, c.fused), expected), 2e-6) << c.name;
    // bfloat16 has 8 bits: each of a few roundings is at most 2^-9 of the largest value.
    const double rounded = worst_difference(differentiate(part, c.inputs(part), at::kBFloat16, c.fused), expected);
    EXPECT_LT(rounded, 0.02) << c.name;
    EXPECT_GT(rounded, 1e-4) << c.name << ": not in bfloat16";
  }
}

// Where LibTorch's own products are, which small ones are made of: on AMD's processors their bits depend on threads.
TEST(BlockOps, GradientsAreTheSameBitsAtAnyNumberOfThreads) {
  const int before = at::get_num_threads();
  for (const Case& c : kCases) {
    const Part part;
    const auto at_threads = [&](int threads, const auto& operation) {
      at::set_num_threads(threads);
      return differentiate(part, c.inputs(part), at::kFloat, operation);
    };
    const auto one = at_threads(1, c.fused), three = at_threads(3, c.fused);
    if (worst_difference(at_threads(1, c.reference), at_threads(3, c.reference)) > 0) {
      EXPECT_LT(worst_difference(one, three), 2e-6) << c.name;
      continue;
    }
    for (size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(at::equal(one[i], three[i])) << c.name << " " << i;
  }
  at::set_num_threads(before);
}

}  // namespace
}  // namespace uvic::block_ops_test
