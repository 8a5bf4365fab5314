// The precompiled header and the files of the same library know nothing of these.
#define USE_DISTRIBUTED
#define USE_C10D_GLOO
#ifdef UVIC_NCCL
#define USE_C10D_NCCL
#endif

#include "train/c10d.h"

#include <netinet/in.h>
#include <resolv.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef UVIC_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

#include "core/error.h"
#include "core/text.h"
#include "train/addresses.h"

namespace uvic {
namespace {

using Keys = c10::intrusive_ptr<::c10d::Store>;

// A thread of it asks no name server. c10d asks for the name of every address that it connects to, only to log it, and
// where no server answers that takes many seconds.
class WithoutNameServers {
 public:
  WithoutNameServers() {
    ::res_init();
    servers_ = std::exchange(_res.nscount, 0);
  }
  ~WithoutNameServers() { _res.nscount = servers_; }
  WithoutNameServers(const WithoutNameServers&) = delete;
  WithoutNameServers& operator=(const WithoutNameServers&) = delete;

 private:
  int servers_ = 0;
};

// c10d logs what it throws, with a stack trace; a write to a connection that has gone would end the process.
void prepare_c10d() {
  constexpr int kOnlyFatal = 3;
  if (!std::getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = kOnlyFatal;
  std::signal(SIGPIPE, SIG_IGN);
}

c10::intrusive_ptr<::c10d::TCPStore> open_store(const std::string& address, ::c10d::TCPStoreOptions options) {
  prepare_c10d();
  const WithoutNameServers without;
  options.waitWorkers = false;
  return c10::make_intrusive<::c10d::TCPStore>(address, options);
}

}  // namespace

std::string words_of(const std::exception& error) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&error);
  return one_line(c10_error ? c10_error->what_without_backtrace() : error.what());
}

struct RankStore::State {
  c10::intrusive_ptr<::c10d::TCPStore> tcp;
  Keys keys;
};

RankStore::RankStore(std::shared_ptr<State> state) : state_(std::move(state)) {}

RankStore RankStore::serve(uint16_t port, bool loopback_alone) {
  const ListeningSocket socket = listen_at(port, loopback_alone);
  ::c10d::TCPStoreOptions options;
  options.port = socket.port;
  options.isServer = true;
  options.masterListenFd = socket.file;
  const auto tcp = open_store("127.0.0.1", options);
  return RankStore(std::make_shared<State>(State{tcp, tcp}));
}

RankStore RankStore::connect(const std::string& host, uint16_t port, Timeout timeout) {
  ::c10d::TCPStoreOptions options;
  options.port = port;
  const auto end = std::chrono::steady_clock::now() + timeout;
  const std::string address = address_of(host, timeout);
  options.timeout = std::max<Timeout>(std::chrono::duration_cast<Timeout>(end - std::chrono::steady_clock::now()),
                                      std::chrono::seconds(1));
  try {
    const auto tcp = open_store(address, options);
    return RankStore(std::make_shared<State>(State{tcp, tcp}));
  } catch (const c10::Error&) {
    fail(
        "nobody answers at {}:{}, where the ranks are to meet, within {} s: is rank 0, or the launcher, started there, "
        "and "
        "does no firewall shut the port?",
        host, port, std::chrono::duration_cast<std::chrono::seconds>(timeout).count());
  }
}

uint16_t RankStore::port() const {
  return state_->tcp->getPort();
}

RankStore RankStore::with_prefix(const std::string& prefix) const {
  return RankStore(
      std::make_shared<State>(State{state_->tcp, c10::make_intrusive<::c10d::PrefixStore>(prefix, state_->keys)}));
}

void RankStore::set(const std::string& key, const std::string& value) const {
  state_->keys->set(key, value);
}

std::optional<std::string> RankStore::find(const std::string& key) const {
  if (!state_->keys->check({key})) return std::nullopt;
  return state_->keys->get_to_str(key);
}

std::string RankStore::set_first(const std::string& key, const std::string& value) const {
  const std::string held = state_->keys->compareSet(key, "", value);
  return held.empty() ? value : held;
}

struct Exchange::State {
  c10::intrusive_ptr<::c10d::Work> work;
};

Exchange::Exchange(std::shared_ptr<State> state) : state_(std::move(state)) {}

bool Exchange::is_done() const {
  return state_->work->isCompleted();
}

void Exchange::wait() const {
  state_->work->wait();
}

struct RankGroup::State {
  State(Keys store, const Config& config) : store(std::move(store)), config(config) {}

  Keys store;
  Config config;
  c10::intrusive_ptr<::c10d::ProcessGroupGloo> gloo;
  std::vector<c10::intrusive_ptr<::c10d::Work>> started;
#ifdef UVIC_NCCL
  c10::intrusive_ptr<::c10d::ProcessGroupNCCL> nccl;  // made for the first tensor on a GPU
#endif

  ::c10d::Backend& backend(const Tensor& tensor) {
    TORCH_CHECK(tensor.is_contiguous(), "ranks exchange contiguous tensors");
#ifdef UVIC_NCCL
    if (tensor.is_cuda()) {
      if (!nccl) {
        // Waits end with an exception, which names the rank; c10d would end the process.
        ::setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "0", 0);
        ::setenv("TORCH_NCCL_BLOCKING_WAIT", "1", 0);
        const auto options = ::c10d::ProcessGroupNCCL::Options::create();
        options->timeout = config.timeout;
        nccl = c10::make_intrusive<::c10d::ProcessGroupNCCL>(c10::make_intrusive<::c10d::PrefixStore>("nccl", store),
                                                             static_cast<int>(config.rank),
                                                             static_cast<int>(config.size), options);
      }
      return *nccl;
    }
#else
    if (!tensor.is_cpu())
      fail(
          "this program was built without NCCL, by which ranks on GPUs exchange: run scripts/setup --cuda and build it "
          "again");
#endif
    return *gloo;
  }

  bool is_busy() {
    std::erase_if(started, [](const auto& work) { return work->isCompleted(); });
    return !started.empty();
  }
  std::shared_ptr<Exchange::State> start(c10::intrusive_ptr<::c10d::Work> work) {
    is_busy();  // forgets what is done
    started.push_back(work);
    return std::make_shared<Exchange::State>(Exchange::State{std::move(work)});
  }
};

RankGroup::RankGroup(const RankStore& store, const Config& config)
    : state_(std::make_unique<State>(store.state_->keys, config)) {
  using Gloo = ::c10d::ProcessGroupGloo;
  const auto options = Gloo::Options::create(config.timeout);
  options->devices.push_back(config.interface.empty() ? Gloo::createDeviceForHostname(config.address)
                                                      : Gloo::createDeviceForInterface(config.interface));
  state_->gloo = c10::make_intrusive<Gloo>(c10::make_intrusive<::c10d::PrefixStore>("gloo", state_->store),
                                           static_cast<int>(config.rank), static_cast<int>(config.size), options);
}

RankGroup::~RankGroup() {
#ifdef UVIC_NCCL
  if (state_->nccl && !state_->is_busy()) {
    state_->nccl->shutdown();
    state_->nccl.reset();
  }
#endif
  abort();
}

Exchange RankGroup::start_sum(const Tensor& tensor, RankStore::Timeout timeout) {
  std::vector<Tensor> tensors{tensor};
  ::c10d::AllreduceOptions options;
  options.timeout = timeout;
  return Exchange(state_->start(state_->backend(tensor).allreduce(tensors, options)));
}

Exchange RankGroup::start_broadcast(const Tensor& tensor, int64_t root, RankStore::Timeout timeout) {
  std::vector<Tensor> tensors{tensor};
  ::c10d::BroadcastOptions options;
  options.rootRank = root;
  options.timeout = timeout;
  return Exchange(state_->start(state_->backend(tensor).broadcast(tensors, options)));
}

// Gloo's destructor closes its connections, but waits before for what is under way, until the time-out if a rank has
// gone. Without it they close when the process ends.
void RankGroup::abort() {
#ifdef UVIC_NCCL
  if (state_->nccl) state_->nccl->abort();
  state_->nccl.reset();
#endif
  if (state_->is_busy()) state_->gloo.release();
  state_->gloo.reset();
}

}  // namespace uvic
