// Compiled once per instruction set, each time as another table UVIC_KERNEL_TABLE.
#include "transformer/kernels/simd/backward.h"
#include "transformer/kernels/simd/decoder.h"
#include "transformer/kernels/simd/float_product.h"
#include "transformer/kernels/simd/fma_loop.h"
#include "transformer/kernels/simd/forward.h"
#include "transformer/kernels/simd/rows.h"
#include "transformer/kernels/simd/split_product.h"

namespace uvic {
namespace {

#if defined(__AVX512BF16__)
using Bf16Unit = Bf16Pair;
#else
using Bf16Unit = float;
#endif

template <class Weighting, class T, class Unit>
constexpr Kernel kKernel = {forward_workspace<Unit>, forward<Weighting, T, Unit>, backward_workspace<Unit>,
                            backward<Weighting, T, Unit>};

template <class List>
struct AttentionTable;
template <class... All>
struct AttentionTable<Weightings<All...>> {
  static constexpr int kCount = sizeof...(All);
  static constexpr WeightingKernels kRows[] = {
      {All::kName, {kKernel<All, float, float>, kKernel<All, Bf16, Bf16Unit>}}...};
};
using Attention = AttentionTable<AllWeightings>;

}  // namespace

extern const KernelTable UVIC_KERNEL_TABLE;
const KernelTable UVIC_KERNEL_TABLE = {Attention::kRows, Attention::kCount, {kRowKernels<float>, kRowKernels<Bf16>},
                                       kDecoderKernels,  kProducts,         kFloatProducts,
                                       fma_loop};

}  // namespace uvic
