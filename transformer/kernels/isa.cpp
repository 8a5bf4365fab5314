#include "transformer/kernels/isa.h"

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace uvic {

extern const KernelTable kernels_portable, kernels_avx2, kernels_avx512, kernels_avx512_bf16, kernels_amx;

namespace {

bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512_bf16() {
  return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

// By CPUID, leaf 7: not every compiler knows the names of these features.
bool has_amx_units() {
  constexpr unsigned kTile = 1u << 24, kBf16 = 1u << 22;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & kTile) != 0 && (d & kBf16) != 0;
}

// Linux gives the tile registers, 8 KiB a thread, to processes that ask for them.
bool has_amx() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return has_avx512_bf16() && has_amx_units() && syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

constexpr Entry<KernelIsa> kIsas[] = {
    {"portable", {&kernels_portable, [] { return true; }}, "x86-64-v2, vectors of 4"},
    {"avx2", {&kernels_avx2, has_avx2}, "AVX2 and FMA, vectors of 8"},
    {"avx512", {&kernels_avx512, has_avx512}, "AVX-512 F, BW, DQ, VL, vectors of 16"},
    {"avx512_bf16", {&kernels_avx512_bf16, has_avx512_bf16}, "and dot products of bfloat16 pairs"},
    {"amx", {&kernels_amx, has_amx}, "and bfloat16 matrix products on AMX tiles"},
};

}  // namespace

std::span<const Entry<KernelIsa>> all_kernel_isas() {
  return kIsas;
}

std::vector<Entry<KernelIsa>> kernel_isas() {
  std::vector<Entry<KernelIsa>> list;
  for (const auto& isa : all_kernel_isas())
    if (isa.value.supported()) list.push_back(isa);
  return list;
}

const Entry<KernelIsa>& choose_kernel_isa(std::string_view name) {
  static const std::vector<Entry<KernelIsa>> here = kernel_isas();
  if (name.empty()) return here.back();
  const std::span<const Entry<KernelIsa>> supported = here;
  find(all_kernel_isas(), name, "instruction set in UVIC_ISA");
  for (const auto& isa : supported)
    if (isa.name == name) return isa;
  fail("UVIC_ISA is {}, which this machine does not have: expected one of {}", name, names(supported));
}

const Entry<KernelIsa>& default_kernel_isa() {
  static const char* const name = std::getenv("UVIC_ISA");
  static const Entry<KernelIsa>* const isa = &choose_kernel_isa(name ? name : "");
  return *isa;
}

}  // namespace uvic
