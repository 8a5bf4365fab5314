// The CPU kernels as a differentiable op: tasks are spread over threads here, each is computed by a kernel on one.
//
// How the work is cut depends on the shape of one image alone, and partial sums are added in a fixed order, so results
// are the same bits at any number of threads and images.
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include "transformer/kernels/attention_ops.h"

namespace uvic {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// A range of tokens for each task of one head.
struct Chunks {
  int64_t length, count, size;

  Chunks(int64_t length, int64_t most) : length(length) {
    const int64_t wanted = std::min(most, (length + kTaskRows - 1) / kTaskRows);
    size = (length + wanted - 1) / wanted;
    count = (length + size - 1) / size;
  }
  int64_t first(int64_t chunk) const { return chunk * size; }
  int64_t last(int64_t chunk) const { return std::min(length, first(chunk) + size); }
};

// A backward pass of several chunks keeps a partial gradient of the queries for each; at most so many tasks at once.
constexpr int64_t kMostChunks = 8, kMostPartials = 64;

// Stores of what the second-level cache will have lost before it is read go past the caches, which would first fetch
// the old contents.
bool is_large(const Tensor& x) {
  constexpr size_t kCaches = 4 << 20;
  return x.nbytes() > kCaches;
}

template <class Task>
void run_tasks(int64_t count, int64_t workspace_size, void (*kernel)(const Task&, void*),
               const std::function<Task(int64_t)>& task) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    const Tensor workspace = at::empty({workspace_size}, at::kByte);  // aligned to 64 bytes
    for (int64_t i = begin; i < end; ++i) kernel(task(i), workspace.data_ptr());
  });
}

// The arguments of one call, and where a head's numbers lie.
struct Problem {
  Tensor qkv;
  AttendOptions options;
  const Kernel& kernel;
  int64_t batch = qkv.size(0), length = qkv.size(1), heads = qkv.size(3), dim = qkv.size(4);
  HeadShape shape{length, dim};

  void* at(const Tensor& x, int64_t offset) const {
    return static_cast<char*>(x.data_ptr()) + offset * x.element_size();
  }
  // Row 0 of a head of [B, L, 3, H, D] or [B, L, H, D].
  void* part(const Tensor& packed, int64_t which, int64_t image, int64_t head) const {
    return at(packed, image * packed.stride(0) + which * packed.stride(2) + head * packed.stride(3));
  }
  void* rows(const Tensor& x, int64_t image, int64_t head) const {
    return at(x, image * x.stride(0) + head * x.stride(2));
  }
  Head head(int64_t image, int64_t head) const {
    const Tensor& lengths = options.keys.lengths;
    return {
        .shape = shape,
        .keys = lengths.defined() ? std::clamp<int64_t>(lengths.const_data_ptr<int64_t>()[image], 0, length) : length,
        .q = part(qkv, 0, image, head),
        .k = part(qkv, 1, image, head),
        .v = part(qkv, 2, image, head),
        .stride = qkv.stride(1),
        .scale = static_cast<float>(options.scale),
        .causal = options.keys.causal};
  }
  // statistics [B, H, 2, L]
  RowStatistics row_statistics(const Tensor& statistics, int64_t image, int64_t head) const {
    float* first = statistics.data_ptr<float>() + (image * heads + head) * 2 * length;
    return {first, first + length};
  }
};

void attend(const Problem& p, const Tensor& out, const Tensor& statistics) {
  RECORD_USER_SCOPE("attention");
  const Chunks chunks(p.length, p.length);
  run_tasks<ForwardTask>(
      p.batch * p.heads * chunks.count, p.kernel.forward_workspace(p.shape), p.kernel.forward, [&](int64_t i) {
        const int64_t chunk = i % chunks.count, head = i / chunks.count % p.heads, image = i / chunks.count / p.heads;
        return ForwardTask{.head = p.head(image, head),
                           .first_query = chunks.first(chunk),
                           .last_query = chunks.last(chunk),
                           .out = p.rows(out, image, head),
                           .out_stride = out.stride(1),
                           .past_caches = is_large(out),
                           .statistics = p.row_statistics(statistics, image, head)};
      });
}

void attend_backward(const Problem& p, const Tensor& out, const Tensor& d_out, const Tensor& statistics,
                     const Tensor& d_qkv) {
  RECORD_USER_SCOPE("attention backward");
  const Chunks chunks(p.length, kMostChunks);
  const int64_t all = p.batch * p.heads;
  const int64_t at_once = chunks.count == 1 ? all : std::min(all, kMostPartials / chunks.count);
  Tensor partials;
  if (chunks.count > 1)
    partials = at::empty({chunks.count, at_once, p.length, p.dim}, d_qkv.options().dtype(at::kFloat));
  for (int64_t start = 0; start < all; start += at_once) {
    const int64_t count = std::min(at_once, all - start);
    run_tasks<BackwardTask>(
        count * chunks.count, p.kernel.backward_workspace(p.shape), p.kernel.backward, [&](int64_t i) {
          const int64_t chunk = i % chunks.count, index = i / chunks.count;
          const int64_t head = (start + index) % p.heads, image = (start + index) / p.heads;
          return BackwardTask{.head = p.head(image, head),
                              .first_key = chunks.first(chunk),
                              .last_key = chunks.last(chunk),
                              .out = p.rows(out, image, head),
                              .d_out = p.rows(d_out, image, head),
                              .out_stride = out.stride(1),
                              .statistics = p.row_statistics(statistics, image, head),
                              .d_q = p.part(d_qkv, 0, image, head),
                              .d_k = p.part(d_qkv, 1, image, head),
                              .d_v = p.part(d_qkv, 2, image, head),
                              .d_stride = d_qkv.stride(1),
                              .past_caches = is_large(d_qkv),
                              .partial_d_q = partials.defined() ? partials[chunk][index].data_ptr<float>() : nullptr};
        });
    if (!partials.defined()) continue;
    Tensor sum = partials[0];
    for (int64_t chunk = 1; chunk < chunks.count; ++chunk) sum.add_(partials[chunk]);
    for (int64_t index = 0; index < count; ++index)
      d_qkv[(start + index) / p.heads].select(1, 0).select(1, (start + index) % p.heads).copy_(sum[index]);
  }
}

class Attention : public torch::autograd::Function<Attention> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& qkv, const AttendOptions& options,
                        const Kernel* kernel) {
    const Problem problem{qkv, options, *kernel};
    const Tensor out = at::empty({problem.batch, problem.length, problem.heads, problem.dim}, qkv.options());
    const Tensor statistics =
        at::empty({problem.batch, problem.heads, 2, problem.length}, qkv.options().dtype(at::kFloat));
    attend(problem, out, statistics);
    context->save_for_backward({qkv, options.keys.lengths, out, statistics});
    context->saved_data["scale"] = options.scale;
    context->saved_data["causal"] = options.keys.causal;
    context->saved_data["kernel"] = reinterpret_cast<int64_t>(kernel);  // one of a constant table
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const Tensor &qkv = saved[0], &out = saved[2];
    const AttendOptions options{.scale = context->saved_data["scale"].toDouble(),
                                .keys = {.causal = context->saved_data["causal"].toBool(), .lengths = saved[1]}};
    const auto* kernel = reinterpret_cast<const Kernel*>(context->saved_data["kernel"].toInt());
    const Tensor d_qkv = at::empty(qkv.sizes(), qkv.options());
    attend_backward({qkv, options, *kernel}, out, grads[0].to(out.scalar_type()).contiguous(), saved[3], d_qkv);
    return {d_qkv, {}, {}};
  }
};

Element element_of(const Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? Element::kBfloat16 : Element::kFloat32;
}

const Kernel& find_kernel(const KernelTable& table, std::string_view weighting, Element element) {
  for (int i = 0; i < table.weightings; ++i)
    if (weighting == table.attention[i].weighting) return table.attention[i].kernels[static_cast<int>(element)];
  TORCH_CHECK(false, "no kernels of the weighting ", weighting);
}

}  // namespace

Tensor attention_cpu(const Tensor& qkv, const AttendOptions& options, std::string_view weighting,
                     const KernelTable& kernels) {
  const Kernel& kernel = find_kernel(kernels, weighting, element_of(qkv));
  return Attention::apply(qkv.stride(4) == 1 ? qkv : qkv.contiguous(), checked_options(qkv, options), &kernel);
}

}  // namespace uvic
