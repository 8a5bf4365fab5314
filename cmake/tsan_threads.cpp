// What ThreadSanitizer must know of OpenMP. GCC's runtime is not instrumented, so work that it hands to its threads,
// and takes back, looks like a race. This program's GOMP_parallel comes before the runtime's and says that the one
// happens before the other. Linked into every program of the preset tsan.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

using Work = void (*)(void*);

struct Handover {
  Work work;
  void* data;
  char begun = 0, done = 0;  // of each only the address counts: two, so that no thread seems to come after another
};

void run(void* handed) {
  auto* handover = static_cast<Handover*>(handed);
  __tsan_acquire(&handover->begun);
  handover->work(handover->data);
  __tsan_release(&handover->done);
}

}  // namespace

extern "C" void GOMP_parallel(Work work, void* data, unsigned threads, unsigned flags) {
  static const auto parallel =
      reinterpret_cast<void (*)(Work, void*, unsigned, unsigned)>(dlsym(RTLD_NEXT, "GOMP_parallel"));
  Handover handover{work, data};
  __tsan_release(&handover.begun);
  parallel(run, &handover, threads, flags);
  __tsan_acquire(&handover.done);
}
