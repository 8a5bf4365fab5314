#include "app/serve/queue.h"

#include <gtest/gtest.h>

#include <thread>

#include "app/http/http_server.h"

namespace uvic::queue_test {
namespace {

Order order(const std::string& model, int64_t pictures, double cfg_scale = 1) {
  Order order;
  order.model = model;
  order.settings.cfg_scale = cfg_scale;
  order.settings.sampler.steps = 4;
  order.requests.resize(pictures);
  return order;
}

// Whose pictures are in a batch, such as "1:0 2:0 1:1".
std::string text(const std::vector<JobPart>& batch) {
  std::string list;
  for (const JobPart& part : batch) list += fmt::format("{}{}:{}", list.empty() ? "" : " ", part.job->id, part.number);
  return list;
}

void draw(Queue& queue, const std::vector<JobPart>& batch) {
  for (const JobPart& part : batch) queue.on_picture(part, {.png = "png", .parameters = ""});
  queue.end_batch(batch, 1);
}

template <class F>
HttpError error_of(F run) {
  try {
    run();
  } catch (const HttpError& error) {
    return error;
  }
  return {0, "no error"};
}

TEST(Queue, ClientsTakeTurns) {
  Queue queue({.batch = 4});
  queue.add(order("a", 6), "greedy");
  queue.add(order("a", 1), "modest");
  queue.add(order("a", 2), "third");
  EXPECT_EQ(text(queue.next()), "1:0 2:0 3:0 1:1");
  EXPECT_EQ(text(queue.next()), "3:1 1:2 1:3 1:4");
  EXPECT_EQ(text(queue.next()), "1:5");
}

TEST(Queue, DrawsTogetherWhatIsDrawnAlike) {
  Queue queue({.batch = 8});
  queue.add(order("a", 1), "x");
  queue.add(order("b", 1), "y");
  queue.add(order("a", 1, 2), "z");
  queue.add(order("a", 2), "v");
  EXPECT_EQ(text(queue.next()), "1:0 4:0 4:1");
  EXPECT_EQ(text(queue.next()), "2:0");
  EXPECT_EQ(text(queue.next()), "3:0");
}

TEST(Queue, EditsAreDrawnAlone) {
  Queue queue({.batch = 8});
  for (int i = 0; i < 2; ++i) {
    Order edited = order("a", 1);
    edited.edit = Edit{};
    queue.add(std::move(edited), "x");
  }
  EXPECT_EQ(text(queue.next()), "1:0");
  EXPECT_EQ(text(queue.next()), "2:0");
}

TEST(Queue, HasRoomForSoManyPictures) {
  Queue queue({.pictures = 5, .batch = 2});
  queue.add(order("a", 3), "x");
  const HttpError full = error_of([&] { queue.add(order("a", 3), "y"); });
  EXPECT_EQ(full.status, 429);
  EXPECT_GE(full.retry_after, 1);
  draw(queue, queue.next());
  queue.add(order("a", 3), "y");
  EXPECT_EQ(queue.numbers().waiting_pictures, 4);
}

TEST(Queue, AJobThatIsCancelledWaitsNoMore) {
  Queue queue({.pictures = 5, .batch = 2});
  const JobPtr first = queue.add(order("a", 3), "x"), second = queue.add(order("a", 2), "y");
  const auto batch = queue.next();
  EXPECT_EQ(text(batch), "1:0 2:0");
  queue.cancel(first);
  EXPECT_FALSE(first->is_wanted);
  EXPECT_EQ(first->state, JobState::kCancelled);
  draw(queue, batch);  // what came too late is not kept
  EXPECT_TRUE(first->pictures[0].png.empty());
  EXPECT_EQ(text(queue.next()), "2:1");
  EXPECT_EQ(queue.numbers().waiting_pictures, 0);
}

TEST(Queue, AJobIsDoneWithItsLastPicture) {
  Queue queue({.batch = 2});
  const JobPtr job = queue.add(order("a", 3), "x");
  EXPECT_EQ(job->state, JobState::kWaiting);
  draw(queue, queue.next());
  EXPECT_EQ(job->state, JobState::kRunning);
  draw(queue, queue.next());
  EXPECT_EQ(job->state, JobState::kDone);
  EXPECT_EQ(queue.numbers().pictures, 3);
  EXPECT_EQ(queue.numbers().over.at(JobState::kDone), 1);
}

// A failure ends the jobs whose pictures it kept from being drawn, and no others.
TEST(Queue, AFailureTakesNoOtherJobAlong) {
  Queue queue({.batch = 2});
  const JobPtr good = queue.add(order("a", 1), "x"), bad = queue.add(order("a", 4), "y");
  const auto batch = queue.next();
  queue.on_picture(batch[0], {.png = "png", .parameters = ""});
  queue.on_failure(batch, "it broke");
  queue.end_batch(batch, 1);
  EXPECT_EQ(good->state, JobState::kDone);
  EXPECT_EQ(bad->state, JobState::kFailed);
  EXPECT_EQ(bad->error, "it broke");
  EXPECT_EQ(queue.numbers().waiting_pictures, 0);
}

TEST(Queue, AJobHasATimeLimit) {
  Queue queue({.job_time = std::chrono::seconds(0)});
  const JobPtr job = queue.add(order("a", 1), "x");
  const auto batch = queue.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  queue.on_call(batch, 1);
  EXPECT_EQ(job->state, JobState::kFailed);
  EXPECT_NE(job->error.find("longer than the 0 seconds"), std::string::npos);
}

TEST(Queue, KeepsTheNewestOfWhatIsOver) {
  Queue queue({.kept_jobs = 2});
  for (int i = 0; i < 4; ++i) {
    queue.add(order("a", 1), "x");
    draw(queue, queue.next());
  }
  EXPECT_EQ(queue.jobs().size(), 2u);
  EXPECT_EQ(queue.jobs().front()->id, 4u);
  EXPECT_EQ(error_of([&] { queue.find(1); }).status, 404);
}

TEST(Queue, EndsWhatWaitsAndTakesNothingMore) {
  Queue queue({});
  const JobPtr job = queue.add(order("a", 2), "x");
  queue.end();
  EXPECT_EQ(job->state, JobState::kCancelled);
  EXPECT_TRUE(queue.next().empty());
  EXPECT_EQ(error_of([&] { queue.add(order("a", 1), "x"); }).status, 503);
}

TEST(Queue, WaitsForAChange) {
  Queue queue({});
  const JobPtr job = queue.add(order("a", 1), "x");
  const int64_t version = job->version;
  EXPECT_FALSE(queue.wait(job, version, std::chrono::milliseconds(1)));
  std::thread other([&] { queue.cancel(job); });
  EXPECT_TRUE(queue.wait(job, version, std::chrono::minutes(1)));
  other.join();
}

}  // namespace
}  // namespace uvic::queue_test
