#include "bench/profile.h"

#include <ATen/record_function.h>

#include <algorithm>
#include <map>

#include "core/clock.h"

namespace uvic {
namespace {

// "torch::autograd::CppNode<uvic::(anonymous namespace)::JoinSkip>" is the backward pass of JoinSkip.
std::string readable(const std::string& name) {
  if (!name.ends_with('>')) return name;
  const size_t begin = name.rfind("::") == std::string::npos ? 0 : name.rfind("::") + 2;
  return name.substr(begin, name.size() - begin - 1) + " backward";
}

// The operations that are running, innermost last, and what has been measured.
struct Recorder {
  struct Running {
    std::string name;
    Clock::time_point start;
    double inside = 0;  // seconds of the operations inside
  };
  std::vector<Running> running;
  std::map<std::string, OperationTime> times;

  void begin(const char* name) { running.push_back({readable(name), Clock::now()}); }
  void end() {
    const Running done = running.back();
    running.pop_back();
    const double seconds = seconds_since(done.start);
    OperationTime& time = times[done.name];
    ++time.calls;
    time.seconds += seconds - done.inside;
    if (!running.empty()) running.back().inside += seconds;
  }
};

// The callbacks take no context.
Recorder* recorder = nullptr;

}  // namespace

std::vector<OperationTime> profile(const std::function<void()>& f) {
  Recorder recording;
  recorder = &recording;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction& operation) -> std::unique_ptr<at::ObserverContext> {
        recorder->begin(operation.name());
        return nullptr;
      },
      [](const at::RecordFunction&, at::ObserverContext*) { recorder->end(); }));
  recording.begin("other");
  f();
  recording.end();
  at::removeCallback(handle);

  std::vector<OperationTime> list;
  for (auto& [name, time] : recording.times) list.push_back({name, time.calls, time.seconds});
  std::ranges::sort(list, std::greater{}, &OperationTime::seconds);
  return list;
}

}  // namespace uvic
