// Functions that can pause: a fibre runs on a stack of its own until it calls pause(), and goes on at the next
// resume().
#pragma once

#include <ucontext.h>

#include <functional>
#include <memory>

namespace uvic::gpu {

class Fibre {
 public:
  // `body` is called again after it has returned, each time at a resume(); it must not throw.
  explicit Fibre(std::function<void()> body);
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  void resume();  // until the body pauses or returns
  void pause();   // from the body

 private:
  // The system's contexts only start a fibre: they change the signal mask at each switch, which takes a system call.
  using Place = void* [5];
  static void start(unsigned low, unsigned high);
  static void go(Place& from, Place& to);

  std::function<void()> body_;
  std::unique_ptr<char[]> stack_;
  ucontext_t first_context_{}, starter_{};
  bool started_ = false;
  Place inside_, outside_;
};

}  // namespace uvic::gpu
