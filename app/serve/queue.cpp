#include "app/serve/queue.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "app/http/http_server.h"

namespace uvic {
namespace {

constexpr double kUsualSeconds = 0.5;  // of a picture, until one was drawn

std::string key_of(const Order& order, uint64_t id) {
  std::string key = order.model + '\n' + settings_key(order.settings);
  if (order.edit) key += fmt::format("the picture of job {}", id);
  // A batch is told of its prompts as words or, where one lies between two prompts, as what the network makes of them.
  if (order.requests.front().to_prompt) key += "between prompts";
  return key;
}

}  // namespace

JobPtr Queue::add(Order order, const std::string& client) {
  const std::scoped_lock lock(mutex_);
  if (is_ending_) throw HttpError{503, "the server ends"};
  const auto count = std::ssize(order.requests);
  if (count > limits_.pictures)
    throw HttpError{422, fmt::format("{} pictures are asked for: expected at most {}", count, limits_.pictures)};
  if (numbers_.waiting_pictures + count > limits_.pictures) {
    const double each =
        numbers_.pictures > 0 ? numbers_.drawing_seconds / static_cast<double>(numbers_.pictures) : kUsualSeconds;
    const double seconds = each * static_cast<double>(numbers_.waiting_pictures + count - limits_.pictures);
    throw HttpError{
        429, fmt::format("{} pictures wait already, of {} that may", numbers_.waiting_pictures, limits_.pictures),
        static_cast<int>(std::clamp(std::ceil(seconds), 1., 600.))};
  }
  auto job = std::make_shared<Job>();
  job->id = ++last_id_;
  job->client = client;
  job->key = key_of(order, job->id);
  job->order = std::move(order);
  job->created = std::time(nullptr);
  job->pictures.resize(job->order.requests.size());
  job->previews.resize(job->order.requests.size());
  jobs_[job->id] = job;
  if (waiting_[client].empty()) clients_.push_back(client);
  waiting_[client].push_back(job);
  numbers_.waiting_pictures += count;
  changed(job);
  return job;
}

JobPtr Queue::find(uint64_t id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = jobs_.find(id);
  if (found == jobs_.end()) throw HttpError{404, fmt::format("there is no job {}, or none any more", id)};
  return found->second;
}

std::vector<JobPtr> Queue::jobs() const {
  const std::scoped_lock lock(mutex_);
  std::vector<JobPtr> all;
  for (const auto& entry : jobs_) all.push_back(entry.second);
  std::ranges::reverse(all);
  return all;
}

int64_t Queue::ahead(const JobPtr& job) const {
  const std::scoped_lock lock(mutex_);
  int64_t count = 0;
  if (job->state != JobState::kWaiting) return count;
  for (const auto& entry : jobs_)
    if (entry.first < job->id && !entry.second->is_over())
      count += std::ssize(entry.second->order.requests) - static_cast<int64_t>(entry.second->done);
  return count;
}

bool Queue::wait(const JobPtr& job, int64_t version, std::chrono::milliseconds most) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, most, [&] { return job->version != version; });
}

QueueNumbers Queue::numbers() const {
  const std::scoped_lock lock(mutex_);
  QueueNumbers numbers = numbers_;
  for (const auto& entry : jobs_) {
    numbers.waiting_jobs += entry.second->state == JobState::kWaiting;
    numbers.running_jobs += entry.second->state == JobState::kRunning;
  }
  return numbers;
}

void Queue::changed(const JobPtr& job) {
  ++job->version;
  changed_.notify_all();
}

// The next picture of the client that is drawn so; "": of whatever its oldest job is.
bool Queue::take(std::vector<JobPart>& batch, const std::string& client, const std::string& key) {
  std::deque<JobPtr>& jobs = waiting_[client];
  const auto found = std::ranges::find_if(jobs, [&](const JobPtr& job) { return key.empty() || job->key == key; });
  if (found == jobs.end()) return false;
  const JobPtr job = *found;
  batch.push_back({job, job->asked++});
  ++job->in_batch;
  --numbers_.waiting_pictures;
  if (job->asked == job->pictures.size()) jobs.erase(found);
  return true;
}

std::vector<JobPart> Queue::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return is_ending_ || !clients_.empty(); });
  std::vector<JobPart> batch;
  if (is_ending_) return batch;
  take(batch, clients_.front(), "");
  const std::string key = batch.front().job->key;
  // One of each client in turn, beginning behind the one whose turn it was.
  clients_.splice(clients_.end(), clients_, clients_.begin());
  for (bool took = true; took && std::ssize(batch) < limits_.batch;) {
    took = false;
    for (const std::string& client : clients_)
      if (std::ssize(batch) < limits_.batch) took |= take(batch, client, key);
  }
  clients_.remove_if([&](const std::string& client) { return waiting_[client].empty(); });
  std::erase_if(waiting_, [](const auto& entry) { return entry.second.empty(); });
  for (const JobPart& part : batch) {
    if (part.job->state == JobState::kWaiting) part.job->begun = Clock::now();
    part.job->state = JobState::kRunning;
    part.job->calls = 0;
    changed(part.job);
  }
  return batch;
}

void Queue::on_call(const std::vector<JobPart>& batch, int64_t calls) {
  const std::scoped_lock lock(mutex_);
  for (const JobPart& part : batch) {
    if (part.job->is_over()) continue;
    part.job->calls = calls;
    if (Clock::now() - part.job->begun > limits_.job_time)
      end_job(part.job, JobState::kFailed,
              fmt::format("the job took longer than the {} seconds that one may take", limits_.job_time.count()));
    else
      changed(part.job);
  }
}

void Queue::on_preview(const JobPart& part, Preview preview) {
  const std::scoped_lock lock(mutex_);
  part.job->previews[part.number] = std::move(preview);
}

void Queue::on_picture(const JobPart& part, JobPicture picture) {
  const std::scoped_lock lock(mutex_);
  Job& job = *part.job;
  if (job.is_over()) return;
  job.pictures[part.number] = std::move(picture);
  job.previews[part.number] = {};
  ++job.done;
  ++numbers_.pictures;
  if (job.done == job.pictures.size())
    end_job(part.job, JobState::kDone);
  else
    changed(part.job);
}

void Queue::on_failure(const std::vector<JobPart>& batch, const std::string& error, int status) {
  const std::scoped_lock lock(mutex_);
  for (const JobPart& part : batch) {
    if (part.job->is_over() || !part.job->pictures[part.number].png.empty()) continue;
    part.job->error_status = status;
    end_job(part.job, JobState::kFailed, error);
  }
}

void Queue::end_batch(const std::vector<JobPart>& batch, double seconds) {
  const std::scoped_lock lock(mutex_);
  for (const JobPart& part : batch) --part.job->in_batch;
  numbers_.drawing_seconds += seconds;
}

void Queue::cancel(const JobPtr& job) {
  const std::scoped_lock lock(mutex_);
  if (!job->is_over()) end_job(job, JobState::kCancelled);
}

void Queue::end_job(const JobPtr& job, JobState state, const std::string& error) {
  if (job->state == JobState::kWaiting) job->begun = Clock::now();
  job->state = state;
  job->error = error;
  job->ended = Clock::now();
  job->is_wanted = false;
  job->previews.assign(job->previews.size(), {});
  numbers_.waiting_pictures -= static_cast<int64_t>(job->pictures.size() - job->asked);
  if (const auto queue = waiting_.find(job->client); queue != waiting_.end()) {
    std::erase(queue->second, job);
    if (queue->second.empty()) {
      clients_.remove(job->client);
      waiting_.erase(queue);
    }
  }
  job->asked = job->pictures.size();
  ++numbers_.over[state];
  changed(job);
  forget_old();
}

// Jobs that are over, the oldest first, as far as they are more than are kept.
void Queue::forget_old() {
  size_t count = 0, bytes = 0;
  std::vector<uint64_t> old;
  for (auto entry = jobs_.rbegin(); entry != jobs_.rend(); ++entry) {
    if (!entry->second->is_over()) continue;
    for (const JobPicture& picture : entry->second->pictures) bytes += picture.png.size();
    if (++count > 1 && (count > limits_.kept_jobs || bytes > limits_.kept_bytes)) old.push_back(entry->first);
  }
  for (const uint64_t id : old) jobs_.erase(id);
}

void Queue::end() {
  const std::scoped_lock lock(mutex_);
  is_ending_ = true;
  std::vector<JobPtr> running;
  for (const auto& entry : jobs_)
    if (!entry.second->is_over()) running.push_back(entry.second);
  for (const JobPtr& job : running) end_job(job, JobState::kCancelled, "the server ends");
  changed_.notify_all();
}

}  // namespace uvic
