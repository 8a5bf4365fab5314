// uvic serve
#include <malloc.h>

#include <chrono>
#include <memory>
#include <thread>

#include "app/cli/checks.h"
#include "app/cli/results.h"
#include "app/serve/painter.h"
#include "app/serve/service.h"
#include "core/device.h"
#include "core/interrupt.h"
#include "core/progress.h"

namespace uvic {
namespace {

constexpr double kGiB = 1 << 30;
constexpr int kLargeBlock = 4 << 20, kMostMappings = 1 << 16;
constexpr size_t kLongestPath = 512;  // bytes; the library matches paths by regular expressions, which recurse

struct ServeCommand {
  std::vector<std::string> paths;
  Access access;
  int port = 7860;
  std::string data, captions_from;
  double memory = 0;
  QueueLimits limits;
  int64_t job_time = 600;
  ModelArgument argument;

  void run();
};

std::string url_of(const std::string& host, int port) {
  return fmt::format("http://{}:{}", host.find(':') == std::string::npos ? host : '[' + host + ']', port);
}

void ServeCommand::run() {
  expect_safe(access);
  // A server gives back what a client's large picture took, which main has malloc keep for training's sake.
  mallopt(M_MMAP_MAX, kMostMappings);
  mallopt(M_MMAP_THRESHOLD, kLargeBlock);
  limits.job_time = std::chrono::seconds(job_time);
  const auto bytes = memory > 0 ? static_cast<int64_t>(memory * kGiB) : free_memory() / 2;
  ServedModels models(argument, {paths.begin(), paths.end()}, bytes);
  Suggestions suggestions(data, captions_from);
  Queue queue(limits);
  const ServedRuns runs({paths.begin(), paths.end()});
  Service service(models, runs, queue, suggestions);

  HttpServer server;
  server.set_pre_routing_handler([&](const httplib::Request& request, httplib::Response& response) {
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Referrer-Policy", "no-referrer");
    if (request.path.size() > kLongestPath)
      answer_error(response, {414, reason(414)});
    else if (request.has_header("Content-Encoding"))
      answer_error(response, {415, "the body is compressed: send it as it is"});
    else if (!is_refused(access, request, response))
      return httplib::Server::HandlerResponse::Unhandled;
    return httplib::Server::HandlerResponse::Handled;
  });
  add_page_routes(server);
  add_job_routes(server, service);
  add_model_routes(server, service);
  add_run_routes(server, service);
  add_a1111_routes(server, service);
  add_openai_routes(server, service);
  const std::string address = url_of(access.host, server.bind(access.host, port));

  std::thread painter([&] { paint(queue, models); });
  std::thread listener([&] { server.listen_after_bind(); });
  print_result({{"address", address}}, address);
  log_line(fmt::format("open {} in a browser; Ctrl-C ends it", address));
  while (!interrupted()) std::this_thread::sleep_for(std::chrono::milliseconds(100));
  log_line("ends: what is drawn now is given up, what is asked for is answered");
  queue.end();
  server.end_all();
  listener.join();
  painter.join();
  stop_if_interrupted();
}

}  // namespace

void add_serve_command(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("serve", "draw in a browser, and over HTTP as A1111's and OpenAI's clients ask");
  auto command = std::make_shared<ServeCommand>();
  ServeCommand& c = *command;
  sub->add_option("models", c.paths, "run folders, bundles, .safetensors, .pth, or folders of these")->required();
  sub->add_option("--host", c.access.host, "address to listen on; one that other machines reach needs a key")
      ->capture_default_str();
  sub->add_option("--port", c.port, "0: a free one")->check(CLI::Range(0, 65535))->capture_default_str();
  sub->add_option("--api-key", c.access.key, "what clients must know: Authorization: Bearer KEY, or as a password");
  sub->add_option("--user", c.access.user, "NAME:PASSWORD that clients must know");
  sub->add_option("--cors", c.access.origins,
                  "origin whose pages may ask, such as https://example.org; may be given more than once");
  sub->add_option("--data", c.data, "data SPEC whose captions are suggested");
  sub->add_option("--captions-from", c.captions_from, "language model that writes the captions that are suggested");
  sub->add_option("--memory", c.memory, "GiB that loaded models may take; default: half of what is free")
      ->check(number<double>())
      ->check(at_least(0));
  sub->add_option("--queue", c.limits.pictures, "pictures that may wait")
      ->check(number<int64_t>())
      ->check(between(1, 1e6))
      ->capture_default_str();
  sub->add_option("-b,--batch", c.limits.batch, "pictures that are drawn at once; on the CPU it does not change them")
      ->check(number<int64_t>())
      ->check(between(1, 4096))
      ->capture_default_str();
  sub->add_option("--job-time", c.job_time, "seconds that the drawing of one job may take")
      ->check(number<int64_t>())
      ->check(between(1, 1e6))
      ->capture_default_str();
  c.argument.add_options(*sub, "cpu, cuda or cuda:N");
  sub->callback([command] { command->run(); });
}

}  // namespace uvic
