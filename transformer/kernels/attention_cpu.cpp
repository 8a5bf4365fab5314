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
    const int64_t wanted = std::max<int64_t>(1, std::min(most, (length + kTaskRows - 1) / kTaskRows));
    size = (length + wanted - 1) / wanted;
    count = size == 0 ? 0 : (length + size - 1) / size;
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
struct Call {
  Qkv in;
  double scale;
  VisibleKeys keys;  // as `checked` gives them
  const Kernel& kernel;
  int64_t batch = in.q.size(0), heads = in.q.size(2);
  HeadShape shape{in.q.size(1), in.k.size(1), in.q.size(3)};

  // Row 0 of a head of [B, L, H, D].
  static void* rows(const Tensor& x, int64_t image, int64_t head) {
    return static_cast<char*>(x.data_ptr()) + (image * x.stride(0) + head * x.stride(2)) * x.element_size();
  }
  // Of the queries of an image; null: every one sees all keys.
  const int32_t* ends(const Tensor& x, int64_t image) const {
    return x.defined() ? x.const_data_ptr<int32_t>() + (x.size(0) == 1 ? 0 : image) * shape.queries : nullptr;
  }
  Head head(int64_t image, int64_t head) const {
    return {.shape = shape,
            .q = rows(in.q, image, head),
            .k = rows(in.k, image, head),
            .v = rows(in.v, image, head),
            .q_stride = in.q.stride(1),
            .k_stride = in.k.stride(1),
            .v_stride = in.v.stride(1),
            .scale = static_cast<float>(scale),
            .prefix = keys.prefix,
            .first = ends(keys.first, image),
            .last = ends(keys.last, image)};
  }
  // statistics [B, H, 2, queries]
  RowStatistics row_statistics(const Tensor& statistics, int64_t image, int64_t head) const {
    float* first = statistics.data_ptr<float>() + (image * heads + head) * 2 * shape.queries;
    return {first, first + shape.queries};
  }
};

void attend(const Call& call, const Tensor& out, const Tensor& statistics) {
  RECORD_USER_SCOPE("attention");
  const Chunks chunks(call.shape.queries, call.shape.queries);
  run_tasks<ForwardTask>(call.batch * call.heads * chunks.count, call.kernel.forward_workspace(call.shape),
                         call.kernel.forward, [&](int64_t i) {
                           const int64_t chunk = i % chunks.count, head = i / chunks.count % call.heads,
                                         image = i / chunks.count / call.heads;
                           return ForwardTask{.head = call.head(image, head),
                                              .first_query = chunks.first(chunk),
                                              .last_query = chunks.last(chunk),
                                              .out = Call::rows(out, image, head),
                                              .out_stride = out.stride(1),
                                              .past_caches = is_large(out),
                                              .statistics = call.row_statistics(statistics, image, head)};
                         });
}

// The queries that see any of the keys first..last.
std::pair<int64_t, int64_t> queries_of(const Head& head, int64_t first, int64_t last) {
  const int64_t count = head.shape.queries;
  if (!head.first || first < head.prefix) return {0, count};
  const auto sees = [&](int64_t i) { return head.first[i] < last && first < head.last[i]; };
  int64_t begin = 0, end = count;
  while (begin < end && !sees(begin)) ++begin;
  while (begin < end && !sees(end - 1)) --end;
  return {begin, end};
}

void attend_backward(const Call& call, const Tensor& out, const Tensor& d_out, const Tensor& statistics,
                     const Qkv& gradients) {
  RECORD_USER_SCOPE("attention backward");
  const int64_t queries = call.shape.queries, keys = call.shape.keys, dim = call.shape.head_dim;
  if (keys == 0) return (void)gradients.q.zero_();
  const Chunks chunks(keys, kMostChunks);
  const int64_t all = call.batch * call.heads;
  const int64_t at_once = chunks.count == 1 ? all : std::min(all, kMostPartials / chunks.count);
  const bool past_caches = is_large(gradients.packed.defined() ? gradients.packed : gradients.k);
  Tensor partials;
  if (chunks.count > 1)
    partials = at::empty({chunks.count, at_once, queries, dim}, call.in.q.options().dtype(at::kFloat));
  for (int64_t start = 0; start < all; start += at_once) {
    const int64_t count = std::min(at_once, all - start);
    std::vector<std::pair<int64_t, int64_t>> seeing(count * chunks.count);
    run_tasks<BackwardTask>(
        count * chunks.count, call.kernel.backward_workspace(call.shape), call.kernel.backward, [&](int64_t i) {
          const int64_t chunk = i % chunks.count, index = i / chunks.count;
          const int64_t head = (start + index) % call.heads, image = (start + index) / call.heads;
          const Head of_head = call.head(image, head);
          // Alone it writes the gradients of all queries, of those that see nothing too.
          seeing[i] = partials.defined() ? queries_of(of_head, chunks.first(chunk), chunks.last(chunk))
                                         : std::pair(int64_t{0}, queries);
          return BackwardTask{.head = of_head,
                              .first_key = chunks.first(chunk),
                              .last_key = chunks.last(chunk),
                              .first_query = seeing[i].first,
                              .last_query = seeing[i].second,
                              .out = Call::rows(out, image, head),
                              .d_out = Call::rows(d_out, image, head),
                              .out_stride = out.stride(1),
                              .statistics = call.row_statistics(statistics, image, head),
                              .d_q = Call::rows(gradients.q, image, head),
                              .d_k = Call::rows(gradients.k, image, head),
                              .d_v = Call::rows(gradients.v, image, head),
                              .d_q_stride = gradients.q.stride(1),
                              .d_k_stride = gradients.k.stride(1),
                              .d_v_stride = gradients.v.stride(1),
                              .past_caches = past_caches,
                              .partial_d_q = partials.defined() ? partials[chunk][index].data_ptr<float>() : nullptr};
        });
    if (!partials.defined()) continue;
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t index = begin; index < end; ++index) {
        Tensor sum = at::zeros({queries, dim}, partials.options());
        for (int64_t chunk = 0; chunk < chunks.count; ++chunk) {
          const auto [first, last] = seeing[index * chunks.count + chunk];
          sum.narrow(0, first, last - first).add_(partials[chunk][index].narrow(0, first, last - first));
        }
        gradients.q[(start + index) / call.heads].select(1, (start + index) % call.heads).copy_(sum);
      }
    });
  }
}

struct Attended {
  Tensor out, statistics;
};
Attended attended(const AttentionInputs& inputs, const AttendOptions& options, const Kernel& kernel) {
  const Qkv in = inputs.parts();
  const Call call{in, options.scale, options.keys, kernel};
  const Attended to{at::empty(in.q.sizes(), in.q.options()),
                    at::empty({call.batch, call.heads, 2, call.shape.queries}, in.q.options().dtype(at::kFloat))};
  attend(call, to.out, to.statistics);
  return to;
}

class Attention : public torch::autograd::Function<Attention> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const std::optional<Tensor>& k,
                        const std::optional<Tensor>& v, const AttendOptions& options, const Kernel* kernel) {
    const AttentionInputs inputs(x, k.value_or(Tensor()), v.value_or(Tensor()));
    const auto [out, statistics] = attended(inputs, options, *kernel);
    context->save_for_backward({inputs.x, inputs.k, inputs.v, options.keys.first, options.keys.last, out, statistics});
    context->saved_data["scale"] = options.scale;
    context->saved_data["prefix"] = options.keys.prefix;
    context->saved_data["kernel"] = reinterpret_cast<int64_t>(kernel);  // one of a constant table
    return out;
  }

  static tensor_list backward(AutogradContext* context, const tensor_list& grads) {
    const tensor_list saved = context->get_saved_variables();
    const AttentionInputs inputs(saved[0], saved[1], saved[2]), gradients = inputs.empty_like();
    const Tensor& out = saved[5];
    const Call call{inputs.parts(),
                    context->saved_data["scale"].toDouble(),
                    {.prefix = context->saved_data["prefix"].toInt(), .first = saved[3], .last = saved[4]},
                    *reinterpret_cast<const Kernel*>(context->saved_data["kernel"].toInt())};
    attend_backward(call, out, grads[0].to(out.scalar_type()).contiguous(), saved[6], gradients.parts());
    return {gradients.x, gradients.k, gradients.v, {}, {}};
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

Tensor attention_cpu(const Qkv& qkv, const AttendOptions& options, std::string_view weighting,
                     const KernelTable& kernels) {
  const Kernel& kernel = find_kernel(kernels, weighting, element_of(qkv.q));
  const AttentionInputs inputs(qkv, options);
  // A node of the graph takes as long as the attention of one query.
  if (!at::GradMode::is_enabled()) return attended(inputs, checked(qkv, options), kernel).out;
  return Attention::apply(inputs.x, std::optional(inputs.k), std::optional(inputs.v), checked(qkv, options), &kernel);
}

}  // namespace uvic
