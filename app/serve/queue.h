// Pictures that wait to be drawn: bounded, fair between clients, joined into batches of one model and one way to draw.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/serve/order.h"
#include "core/clock.h"

namespace uvic {

enum class JobState { kWaiting, kRunning, kDone, kCancelled, kFailed };

struct JobPicture {
  std::string png;  // with its recipe; "": it is not drawn yet
  std::string parameters;
};

struct Preview {
  int64_t calls = 0;  // network calls until then; 0: none yet
  std::string png;
};

// Guarded by the queue's mutex but for what is constant and `is_wanted`.
struct Job {
  uint64_t id = 0;
  std::string client, key;  // key: orders of the same one are drawn together
  Order order;
  int64_t created = 0;  // seconds since 1970
  std::atomic<bool> is_wanted = true;

  JobState state = JobState::kWaiting;
  std::string error;
  int error_status = 500;  // as HTTP has it
  int64_t version = 0;     // grows with every change
  size_t asked = 0;        // requests that a batch has taken
  std::vector<JobPicture> pictures;
  std::vector<Preview> previews;
  int64_t calls = 0;  // of the batch that is drawn
  size_t in_batch = 0, done = 0;
  Clock::time_point begun, ended;

  bool is_over() const { return state != JobState::kWaiting && state != JobState::kRunning; }
};
using JobPtr = std::shared_ptr<Job>;

// One picture of a batch.
struct JobPart {
  JobPtr job;
  size_t number;
};

struct QueueLimits {
  int64_t pictures = kMostPictures;    // that may wait, of all jobs
  int64_t batch = 8;                   // drawn at once
  std::chrono::seconds job_time{600};  // from the first network call of a job to its last
  size_t kept_jobs = 200;              // that are over
  size_t kept_bytes = 256 << 20;       // of their pictures
};

struct QueueNumbers {
  int64_t waiting_pictures = 0, waiting_jobs = 0, running_jobs = 0;
  std::map<JobState, int64_t> over;  // jobs by how they ended
  int64_t pictures = 0;              // drawn so far
  double drawing_seconds = 0;
};

class Queue {
 public:
  explicit Queue(const QueueLimits& limits) : limits_(limits) {}

  // HttpError 429 with the seconds after which there will be room, 422 if there never will, 503 once the server ends.
  JobPtr add(Order order, const std::string& client);
  JobPtr find(uint64_t id) const;    // HttpError 404
  std::vector<JobPtr> jobs() const;  // newest first
  void cancel(const JobPtr& job);
  int64_t ahead(const JobPtr& job) const;  // pictures that wait longer than it does; 0: it waits no more

  // Reads a job while nobody changes it.
  template <class F>
  auto look(F read) const {
    const std::scoped_lock lock(mutex_);
    return read();
  }
  // Until the job is of another version, or so much time has gone; whether it is.
  bool wait(const JobPtr& job, int64_t version, std::chrono::milliseconds most) const;
  QueueNumbers numbers() const;

  // For who draws. The next batch, waited for; empty: the server ends.
  std::vector<JobPart> next();
  void on_call(const std::vector<JobPart>& batch, int64_t calls);
  void on_preview(const JobPart& part, Preview preview);
  void on_picture(const JobPart& part, JobPicture picture);
  // Of the pictures that are not drawn. `status`: as HTTP has it, 422 if their clients asked for what cannot be.
  void on_failure(const std::vector<JobPart>& batch, const std::string& error, int status = 500);
  void end_batch(const std::vector<JobPart>& batch, double seconds);

  void end();  // cancels all jobs
  bool is_ending() const { return is_ending_; }

 private:
  void end_job(const JobPtr& job, JobState state, const std::string& error = "");
  void changed(const JobPtr& job);
  bool take(std::vector<JobPart>& batch, const std::string& client, const std::string& key);
  void forget_old();

  const QueueLimits limits_;
  std::atomic<bool> is_ending_ = false;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, JobPtr> jobs_;
  std::list<std::string> clients_;                     // with waiting jobs; whose turn it is comes first
  std::map<std::string, std::deque<JobPtr>> waiting_;  // of each client
  QueueNumbers numbers_;
};

}  // namespace uvic
