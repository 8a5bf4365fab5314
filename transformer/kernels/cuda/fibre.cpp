#include "transformer/kernels/cuda/fibre.h"

namespace uvic::gpu {
namespace {

constexpr size_t kStackBytes = 256 << 10;

[[noreturn, gnu::noinline, gnu::no_sanitize_address]] void jump(void** place) {
  __builtin_longjmp(place, 1);
}

}  // namespace

Fibre::Fibre(std::function<void()> body) : body_(std::move(body)), stack_(new char[kStackBytes]) {
  getcontext(&first_context_);
  first_context_.uc_stack.ss_sp = stack_.get();
  first_context_.uc_stack.ss_size = kStackBytes;
  // The arguments are ints.
  const auto self = reinterpret_cast<uintptr_t>(this);
  makecontext(&first_context_, reinterpret_cast<void (*)()>(start), 2, static_cast<unsigned>(self),
              static_cast<unsigned>(self >> 32));
}

void Fibre::start(unsigned low, unsigned high) {
  auto* const self = reinterpret_cast<Fibre*>(static_cast<uintptr_t>(high) << 32 | low);
  for (;;) {
    self->body_();
    self->pause();
  }
}

[[gnu::noinline, gnu::no_sanitize_address]] void Fibre::go(Place& from, Place& to) {
  if (__builtin_setjmp(from) == 0) jump(to);
}

[[gnu::noinline, gnu::no_sanitize_address]] void Fibre::resume() {
  if (started_) return go(outside_, inside_);
  started_ = true;
  if (__builtin_setjmp(outside_) == 0) swapcontext(&starter_, &first_context_);
}

void Fibre::pause() {
  go(inside_, outside_);
}

}  // namespace uvic::gpu
