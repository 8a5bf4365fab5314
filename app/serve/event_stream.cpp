#include "app/serve/event_stream.h"

namespace uvic {
namespace {

constexpr int kMostStreams = 64;               // as many as leave connections for others
constexpr std::chrono::seconds kHeartbeat{5};  // so that a stream without news finds out whether its client is there

// Counts a stream while it lives.
class StreamSeat {
 public:
  explicit StreamSeat(Service& service) : service_(service), is_one_too_many_(++service.streams > kMostStreams) {}
  ~StreamSeat() { --service_.streams; }
  StreamSeat(const StreamSeat&) = delete;
  StreamSeat& operator=(const StreamSeat&) = delete;

  bool is_one_too_many() const { return is_one_too_many_; }

 private:
  Service& service_;
  const bool is_one_too_many_;
};

}  // namespace

void stream_events(Service& service, const JobPtr& job, const EventStream& stream, httplib::Response& response) {
  const auto seat = std::make_shared<StreamSeat>(service);
  if (seat->is_one_too_many()) {
    if (stream.cancels) service.queue.cancel(job);  // its client will not know of it
    throw HttpError{
        503, "there are as many streams of events as the server has: ask for the job itself from time to time", 1};
  }
  response.set_header("Cache-Control", "no-store");
  response.set_chunked_content_provider("text/event-stream", [&service, job, seat, stream, version = int64_t{-1}](
                                                                 size_t, httplib::DataSink& sink) mutable {
    bool is_over = false;
    std::string text = ":\n\n";
    if (service.queue.wait(job, version, kHeartbeat)) {
      version = service.queue.look([&] { return job->version; });
      text = stream.next(is_over);
    }
    const bool is_gone = HttpServer::client_is_gone() || (!text.empty() && !sink.write(text.data(), text.size()));
    if (is_gone && stream.cancels) service.queue.cancel(job);
    if (is_over) sink.done();
    return !is_gone;
  });
}

std::string event(const std::string& name, const std::string& data) {
  return fmt::format("event: {}\ndata: {}\n\n", name, data);
}

}  // namespace uvic
